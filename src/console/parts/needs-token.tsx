/** What stands in a view that was refused by the HTTP API, or can't reach it: why, and what can be done. */
import { ApiProblem } from "../session/api.ts";
import { sentence } from "../session/link.ts";
import { signInIsOpen } from "../session/session.ts";
import { Notice } from "./notice.tsx";

interface Props {
  readonly error: unknown;
  /** What a token must be good for, such as `read`. */
  readonly scope: string;
  readonly onRetry: () => void;
}

export function Refused({ error, scope, onRetry }: Props) {
  if (error instanceof ApiProblem && error.isOfToken)
    return (
      <div class="nothing">
        <p>{sentence(error)}</p>
        <p>
          This needs a token with the scope <code>{scope}</code>. <code>npm start</code> prints one; for a deployed broker make one with{" "}
          <code>npx durable-mqtt api-token console --scope read admin</code>.
        </p>
        <button
          type="button"
          class="primary"
          onClick={() => {
            signInIsOpen.value = true;
          }}
        >
          Sign in with a token
        </button>
      </div>
    );
  return (
    <Notice kind="bad">
      {sentence(error)}{" "}
      <button type="button" onClick={onRetry}>
        Try again
      </button>
    </Notice>
  );
}
