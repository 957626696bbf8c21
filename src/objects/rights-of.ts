/** Who decides about rights in one object: rules, hooks that are asked before (`asking.ts`), before both of them the Worker's code, and nobody where another Worker is bound. */

import type { Auth } from "../auth/compose.ts";
import { ServiceRights } from "../auth/service-rights.ts";
import { CodeAuthorizer } from "../hooks/code-authorizer.ts";
import type { BrokerHooks, HookContext } from "../hooks/contract.ts";
import type { HookFaults } from "../hooks/hook-faults.ts";
import { type Authorizer, isService } from "../session/ports.ts";
import type { Asking } from "./asking.ts";

export interface RightsOf {
  readonly authorizer: Authorizer;
  /** Undefined where nobody has to be asked. */
  readonly asking: Asking | undefined;
}

export function rightsOf(auth: Auth, { authorize }: BrokerHooks, context: HookContext, faults: HookFaults): RightsOf {
  const asked = auth.askedRights?.(context.namespace);
  const open = asked ?? auth.open?.();
  // Where settings let nobody in, code does not either: they are mended first.
  if (authorize === undefined || open === undefined) return withService({ authorizer: asked ?? auth.authorizer, asking: asked });
  const authorizer = new CodeAuthorizer({ authorize, context, rules: asked ?? auth.authorizer, open, faults });
  const asking: Asking | undefined = asked && {
    prepare: (identity, clientId, wishes) =>
      asked.prepare(
        identity,
        clientId,
        wishes.filter((wish) => !authorizer.decides(identity, clientId, wish)),
      ),
  };
  return withService({ authorizer, asking });
}

/** About other Workers nobody is asked. */
function withService({ authorizer, asking }: RightsOf): RightsOf {
  return {
    authorizer: new ServiceRights(authorizer),
    asking: asking && {
      prepare: (identity, clientId, wishes) => (isService(identity) ? undefined : asking.prepare(identity, clientId, wishes)),
    },
  };
}
