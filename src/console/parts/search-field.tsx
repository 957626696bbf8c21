/** Where somebody writes what he looks for; `/` goes there. */

interface Props {
  /** What it is called, and says while it is empty. */
  readonly label: string;
  readonly value: string;
  readonly onSearch: (text: string) => void;
}

export function SearchField({ label, value, onSearch }: Props) {
  return (
    <input
      type="search"
      class="grow"
      value={value}
      onInput={({ currentTarget }) => onSearch(currentTarget.value)}
      placeholder={label}
      aria-label={label}
      autocapitalize="off"
      autocomplete="off"
      spellcheck={false}
      data-shortcut="/"
    />
  );
}
