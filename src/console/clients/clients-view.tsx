/** To be written. */
export function ClientsView() {
  return <p class="nothing">Clients</p>;
}
