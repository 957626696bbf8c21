/** To be written. */
export function AccessView() {
  return <p class="nothing">Access</p>;
}
