/** What one variable is: its name, default, form and meaning, and the common ways to write one. The list of them is settings.ts. */

/** One variable: `parse` returns undefined when the text does not have the `form`. Its name is known to the compiler. */
export interface Setting<T = unknown, Name extends string = string> {
  readonly name: Name;
  /** The default as one would write it. */
  readonly default: string;
  /** The values that are allowed, to complete "must be ...". */
  readonly form: string;
  /** What it does, with unit, for the documentation. */
  readonly meaning: string;
  /** A secret is never in wrangler.toml, nor in a message. */
  readonly secret: boolean;
  readonly parse: (text: string) => T | undefined;
}

export function setting<T, const Name extends string>(
  name: Name,
  text: string,
  form: string,
  meaning: string,
  parse: (text: string) => T | undefined,
): Setting<T, Name> {
  return { name, default: text, form, meaning, secret: false, parse };
}

export function integer<const Name extends string>(
  name: Name,
  value: number,
  min: number,
  max: number,
  meaning: string,
): Setting<number, Name> {
  return setting(name, String(value), `a whole number from ${min} to ${max}`, meaning, (text) => {
    const number = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return number >= min && number <= max ? number : undefined;
  });
}

export function flag<const Name extends string>(name: Name, value: boolean, meaning: string): Setting<boolean, Name> {
  return setting(name, String(value), "true or false", meaning, (text) => (text === "true" ? true : text === "false" ? false : undefined));
}

/** What settings say where nothing is set. */
export function defaultsOf<Values extends object>(settings: { readonly [Field in keyof Values]: Setting<Values[Field]> }): Values {
  const entries = Object.entries<Setting>(settings).map(([field, { parse, default: text }]) => [field, parse(text)]);
  return Object.fromEntries(entries) as Values;
}

/** A setting that is never in wrangler.toml, nor in a message. */
export function secret<T, const Name extends string>(
  name: Name,
  form: string,
  meaning: string,
  parse: (text: string) => T | undefined,
): Setting<T, Name> {
  return { ...setting(name, "", form, `secret: ${meaning}`, parse), secret: true };
}
