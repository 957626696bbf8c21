/** To be written. */
export function OverviewView() {
  return <p class="nothing">Overview</p>;
}
