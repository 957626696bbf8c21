/** What the month costs until now, by the meters of the objects, and what it would if it goes on like that. */
import { usePolled } from "../parts/polled.ts";
import { ApiProblem } from "../session/api.ts";
import { sentence } from "../session/link.ts";
import { api } from "../session/session.ts";
import { billOf, type MonthUsage, projected } from "./bill.ts";
import { PAID, PRICES_AS_OF } from "./prices.ts";

const LOOK_MS = 60_000;
const UNITS = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export function BillCard() {
  const asker = api.value;
  const { answer, error } = usePolled((signal) => asker.get<MonthUsage[]>("/usage", {}, signal), [asker], LOOK_MS);
  return (
    <section class="card" aria-label="What it costs">
      <h2>What it costs on Cloudflare</h2>
      {answer === undefined ? <Without error={error} /> : <Months months={answer} />}
    </section>
  );
}

function Without({ error }: { readonly error: unknown }) {
  if (error === undefined) return <p class="quiet">Asking the broker …</p>;
  return (
    <p class="quiet">
      {error instanceof ApiProblem && error.status === 404 ? (
        <>
          Kept with the variable <code>MONITOR</code> set to <code>true</code>.
        </>
      ) : (
        sentence(error)
      )}
    </p>
  );
}

function Months({ months }: { readonly months: readonly MonthUsage[] }) {
  const current = months.at(-1);
  if (current === undefined) return <p class="quiet">Nothing was counted yet.</p>;
  const { lines, total } = billOf(current);
  const whole = billOf(projected(current, Date.now())).total;
  return (
    <>
      <p>
        <strong class="figure">{dollars(total)}</strong> in {current.month} until now, beyond the plan ({dollars(PAID.month)} a month);{" "}
        {dollars(whole)} by its end if it goes on like this.
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Billed</th>
            <th scope="col" class="number">
              Used
            </th>
            <th scope="col" class="number">
              Included
            </th>
            <th scope="col" class="number">
              A million
            </th>
            <th scope="col" class="number">
              Costs
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ name, units, included, price, cost }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{UNITS.format(units)}</td>
              <td class="number">{UNITS.format(included)}</td>
              <td class="number">${price}</td>
              <td class="number">{dollars(cost)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {months.length > 1 && (
        <p class="quiet">
          Before:{" "}
          {months
            .slice(0, -1)
            .reverse()
            .map((month) => `${month.month} ${dollars(billOf(month).total)}`)
            .join(", ")}
        </p>
      )}
      <small>
        List prices of {PRICES_AS_OF} for the Workers Paid plan, for one account with nothing else. Counted by the objects of this
        namespace; the Worker's own requests (one for each connection) are not in it, and running time is an estimate. Cloudflare's bill
        decides.
      </small>
    </>
  );
}

function dollars(amount: number): string {
  return amount > 0 && amount < 0.01 ? "< $0.01" : `$${amount.toFixed(2)}`;
}
