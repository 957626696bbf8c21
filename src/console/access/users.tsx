/** The users that the broker keeps: in the order of their names, page by page; on the right one of them, or a new one. */
import { useEffect, useRef, useState } from "preact/hooks";
import { countText } from "../parts/numbers.ts";
import { SearchField } from "../parts/search-field.tsx";
import { hrefOf } from "../route.ts";
import { ApiProblem, type Page } from "../session/api.ts";
import { api } from "../session/session.ts";
import { Unable } from "./unable.tsx";
import { pathOf, USERS, type UserFacts } from "./user-facts.ts";
import { UserForm } from "./user-form.tsx";

const LIMIT = 100;
/** Until somebody has written the name that he looks for. */
const WRITTEN_MS = 250;
/** What no user name begins with in a link: a new one. */
const NEW = "+";

interface Listed {
  readonly users: readonly UserFacts[];
  readonly count: number;
  readonly cursor: string | undefined;
}

interface UsersPage extends Page<UserFacts> {
  readonly meta: Page<UserFacts>["meta"] & { readonly count: number };
}

export function Users({ rest }: { readonly rest: string | undefined }) {
  const now = api.value;
  const [text, setText] = useState("");
  const [listed, setListed] = useState<Listed>();
  const [error, setError] = useState<unknown>();
  const [turn, setTurn] = useState(0);
  const asking = useRef(new AbortController());
  const again = (): void => setTurn((before) => before + 1);
  const [isNew, name] = rest === undefined ? [false, undefined] : [rest === NEW, rest.replace(/^=/, "")];

  /** From a name on: whoever has it stands first, then those behind it. */
  const look = async (from: string, before: readonly UserFacts[]): Promise<void> => {
    asking.current.abort();
    asking.current = new AbortController();
    const { signal } = asking.current;
    const isFirst = before.length === 0 && from !== "";
    try {
      const [exact, page] = await Promise.all([
        isFirst ? now.get<UserFacts>(pathOf(from), {}, signal).catch(noneOf) : undefined,
        now.get<UsersPage>(USERS, { limit: LIMIT, cursor: from }, signal),
      ]);
      if (signal.aborted) return;
      const { cursor, count } = page.meta;
      setListed({ users: [...before, ...(exact === undefined ? [] : [exact]), ...page.data], count, cursor });
      setError(undefined);
    } catch (problem) {
      if (!signal.aborted) setError(problem);
    }
  };
  useEffect(() => {
    const timer = setTimeout(() => void look(text, []), text === "" ? 0 : WRITTEN_MS);
    return () => {
      asking.current.abort();
      clearTimeout(timer);
    };
  }, [now, text, turn]);

  if (error !== undefined && listed === undefined) return <Unable error={error} onRetry={again} />;
  if (listed === undefined) return <p class="nothing">Loading …</p>;
  const { users, count, cursor } = listed;
  return (
    <div class="split" data-detail={rest === undefined ? undefined : "open"}>
      <section class="pane" aria-label="Users">
        <div class="bar">
          <SearchField label="From a user name on" value={text} onSearch={setText} />
          <a class="button primary" href={hrefOf("access", `users/${NEW}`)}>
            Add a user
          </a>
        </div>
        {error !== undefined && <Unable error={error} onRetry={again} />}
        {count === 0 ? (
          <p class="nothing">
            There are no users yet. With the first one whoever gives a user name has to be a user, and needs the password; those without a
            name are let in as before, if the broker lets them in.
          </p>
        ) : users.length === 0 ? (
          <p class="nothing">No name is {text} or comes behind it.</p>
        ) : (
          <ul class="lines scroll" aria-label="Users">
            {users.map(({ user_id: id, is_superuser: isSuperuser, acl }) => (
              <li key={id}>
                <a class="row" href={hrefOf("access", `users/=${id}`)} aria-current={!isNew && id === name ? "true" : undefined}>
                  <code class="name">{id}</code>
                  <span class="gap" />
                  {isSuperuser && <span class="badge warm">superuser</span>}
                  <span class="quiet">{acl.length === 0 ? "no rules" : acl.length === 1 ? "1 rule" : `${acl.length} rules`}</span>
                </a>
              </li>
            ))}
          </ul>
        )}
        <div class="foot bar">
          <span role="status">
            {countText(count)} {count === 1 ? "user" : "users"}
          </span>
          {cursor !== undefined && (
            <button type="button" onClick={() => void look(cursor, users)}>
              More users
            </button>
          )}
        </div>
      </section>
      <section class="pane detail" aria-label="User">
        {rest === undefined ? (
          <p class="nothing">Choose a user to see and change its rights.</p>
        ) : (
          <UserForm key={rest} name={isNew ? undefined : name} onDone={again} />
        )}
      </section>
    </div>
  );
}

function noneOf(error: unknown): undefined {
  if (error instanceof ApiProblem && error.status === 404) return undefined;
  throw error;
}
