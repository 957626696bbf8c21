/** What stands where the broker keeps no users and bans, or does not tell of them to whoever asks. */
import { Refused } from "../parts/needs-token.tsx";
import { ApiProblem } from "../session/api.ts";
import { sentence } from "../session/link.ts";

interface Props {
  readonly error: unknown;
  readonly onRetry: () => void;
}

export function Unable({ error, onRetry }: Props) {
  if (!(error instanceof ApiProblem) || error.code !== "NOT_FOUND") return <Refused error={error} scope="admin" onRetry={onRetry} />;
  return (
    <div class="nothing">
      <p>{sentence(error)}</p>
      <p>
        Choose a long random text, and set it: <code>npx wrangler secret put ADMIN_TOKEN</code> for a deployed broker, the environment
        variable <code>ADMIN_TOKEN</code> for <code>npm start</code>. It opens this console, too.
      </p>
      <button type="button" onClick={onRetry}>
        Look again
      </button>
    </div>
  );
}
