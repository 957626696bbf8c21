/** Who is shut out, until when and why; to shut out others, and to let them in again. */
import { partOf } from "../../api/path-part.ts";
import { momentText } from "../parts/numbers.ts";
import { usePolled } from "../parts/polled.ts";
import { asked, say } from "../parts/question.tsx";
import type { Page } from "../session/api.ts";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import { BAN_NAMES, BanForm, type BanKind } from "./ban-form.tsx";
import { Unable } from "./unable.tsx";

interface Ban {
  readonly as: BanKind;
  readonly who: string;
  readonly by: string;
  readonly reason: string;
  readonly at: string;
  /** Or `infinity`. */
  readonly until: string;
}

/** The broker keeps no more. */
const LIMIT = 1000;
const LOOK_MS = 10_000;

const CHOICES = { clientid: "", username: "", peerhost: "", peerhost_net: "", clientid_re: "", username_re: "" };

export function Bans() {
  const now = api.value;
  const { answer, error, again } = usePolled((signal) => now.get<Page<Ban>>("/banned", { limit: LIMIT }, signal), [now], LOOK_MS);
  if (answer === undefined) return error === undefined ? <p class="nothing">Loading …</p> : <Unable error={error} onRetry={again} />;
  const lift = async ({ as, who }: Ban): Promise<void> => {
    if (!(await asked("Lift the ban?", `${BAN_NAMES[as]} ${who} may connect again.`, "Lift"))) return;
    try {
      const { part, query } = partOf("who", who);
      await now.send("DELETE", `/banned/${as}/${part}${query}`);
      say(`${who} may connect again.`);
    } catch (problem) {
      say(`The ban was not lifted: ${sentence(problem)}`, true);
    }
    again();
  };
  return (
    <section class="page" aria-label="Bans">
      {error !== undefined && <Unable error={error} onRetry={again} />}
      <details class="card" open={answer.data.length === 0}>
        <summary>Ban somebody</summary>
        <BanForm choices={CHOICES} onDone={again} />
      </details>
      {answer.data.length === 0 ? (
        <p class="nothing">Nobody is banned.</p>
      ) : (
        <div class="card">
          <table class="bans" aria-label="Bans">
            <thead>
              <tr>
                <th scope="col">Who</th>
                <th scope="col">By</th>
                <th scope="col">Until</th>
                <th scope="col">Reason</th>
                <th scope="col">Banned</th>
                <th scope="col">
                  <span class="unseen">Lift</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {answer.data.map((ban) => (
                <tr key={`${ban.as} ${ban.who}`}>
                  <td data-name="Who">
                    <code>{ban.who}</code>
                  </td>
                  <td data-name="By">{BAN_NAMES[ban.as]}</td>
                  <td data-name="Until">{ban.until === "infinity" ? "somebody lifts it" : momentText(ban.until)}</td>
                  <td data-name="Reason">{ban.reason}</td>
                  <td data-name="Banned" class="quiet">
                    {momentText(ban.at)} by {ban.by}
                  </td>
                  <td class="act">
                    <button type="button" aria-label={`Lift the ban of ${ban.who}`} onClick={() => lift(ban)}>
                      Lift
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
