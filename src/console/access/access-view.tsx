/** Who may use the broker: users and their rights, bans, tokens of the HTTP API, and rights tried out. */
import type { ComponentType } from "preact";
import { hrefOf, route } from "../route.ts";
import { Bans } from "./bans.tsx";
import { RightsTrial } from "./rights-trial.tsx";
import { Tokens } from "./tokens.tsx";
import { Users } from "./users.tsx";

const PARTS = { users: "Users", bans: "Bans", tokens: "Tokens", rights: "Rights tried out" } as const;
type Part = keyof typeof PARTS;

const SHOWN: Readonly<Record<Part, ComponentType<{ readonly rest: string | undefined }>>> = {
  users: Users,
  bans: Bans,
  tokens: Tokens,
  rights: RightsTrial,
};

export function AccessView() {
  const { view, rest = "users" } = route.value;
  const [, name = "", item] = /^([^/]*)(?:\/(.*))?$/s.exec(view === "access" ? rest : "users") ?? [];
  const part = (Object.keys(PARTS) as Part[]).find((each) => each === name) ?? "users";
  const Shown = SHOWN[part];
  return (
    <div class="access">
      <nav aria-label="Access">
        {(Object.keys(PARTS) as Part[]).map((each) => (
          <a key={each} href={hrefOf("access", each)} aria-current={each === part ? "page" : undefined}>
            {PARTS[each]}
          </a>
        ))}
      </nav>
      <Shown rest={item === "" ? undefined : item} />
    </div>
  );
}
