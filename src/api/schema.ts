/**
 * The words in which the API describes what it takes and says. A schema's error completes "NAME must be ...": what is wrong with a request is
 * one sentence that names the place and what was expected, and repeats nothing of what came. From the same schemas the OpenAPI document is made.
 */

import * as z from "zod/mini";
import { refuse } from "./problem.ts";

export type Schema = z.ZodMiniType;
export type Shape = Readonly<Record<string, Schema>>;

/** What a schema makes of what came. */
export type Given<Of extends Schema> = z.output<Of>;

type Unchanging<Value> = Value extends object ? { readonly [Name in keyof Value]: Unchanging<Value[Name]> } : Value;

/** What a schema describes of an answer. */
export type Told<Of extends Schema> = Unchanging<z.output<Of>>;

export const TEXT = z.string({ error: "a text" });
export const FLAG = z.boolean({ error: "true or false" });

export function wholeNumber(least: number, most: number, error = `a whole number from ${least} to ${most}`) {
  return z.int({ error }).check(z.minimum(least, { error }), z.maximum(most, { error }));
}

export function oneOf<const Values extends readonly string[]>(values: Values) {
  return z.enum(values as unknown as { [Value in Values[number]]: Value }, { error: `one of ${values.join(", ")}` });
}

export function list<Item extends Schema>(item: Item, error: string, most = Number.POSITIVE_INFINITY) {
  const items = z.array(item, { error });
  return most === Number.POSITIVE_INFINITY ? items : items.check(z.maxLength(most, { error }));
}

/**
 * An object with these fields and no others. One that is null is as one that is not there. What objects are is made when somebody asks for the first
 * time: the start of a Worker, which clients wait for too, has no time for it.
 */
export function fields<Fields extends Shape>(shapeOf: () => Fields) {
  const made = z.lazy(() => {
    const shape = shapeOf();
    const known = Object.keys(shape).join(", ");
    const error = ({ code }: { readonly code?: string }): string => (code === "unrecognized_keys" ? known : "a JSON object");
    return z.strictObject(shape, { error });
  });
  return z.pipe(WITHOUT_NULLS, made);
}

const WITHOUT_NULLS = z.transform(withoutNulls);

/** An object of an answer. */
export function told<Fields extends Shape>(shapeOf: () => Fields) {
  return z.lazy(() => z.object(shapeOf()));
}

function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.values(value).includes(null)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null));
}

/** A text that means something else. @param read undefined for one that does not */
export function readAs<Value>(read: (text: string) => Value | undefined, error: string) {
  const means = z.transform((text: string, context) => {
    const value = read(text);
    if (value === undefined) context.issues.push({ code: "custom", message: error, input: text });
    return value as Value;
  });
  return z.pipe(z.string({ error }), means);
}

export const BASE64 = readAs(bytesOf, "Base64");

export function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** The same, with words for those who read the document: no clone, as `z.describe` makes one, because that takes time of each start of a Worker. */
export function about<Of extends Schema>(words: string, schema: Of): Of {
  const own = Object.create(schema) as Of;
  z.globalRegistry.add(own, { description: words });
  return own;
}

/** One thing is enough to say, and all that can be wrong with a large request is large. The types of zod keep that it can stop to itself. */
const PARSING = { reportInput: true, abortEarly: true } as { reportInput: true };

/** @param whole what the value itself is called, such as "The body" @param place what stands before what is in it, such as a parameter's name */
export function expect<Of extends Schema>(schema: Of, value: unknown, whole: string, place = ""): Given<Of> {
  const { data, error } = z.safeParse(schema, value, PARSING);
  return error === undefined ? data : refuse("BAD_REQUEST", sentenceOf(error.issues[0]!, whole, place));
}

function sentenceOf({ path, code, message, input }: z.core.$ZodIssue, whole: string, place: string): string {
  const steps = path.map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`)).join("");
  const name = steps === "" ? whole : `${place}${steps}`.replace(/^\./, "");
  if (code === "unrecognized_keys") return `${name} has an unknown field; known are ${message}.`;
  return input === undefined ? `${name} is missing.` : `${name} must be ${message}.`;
}

/** What texts of a URL or of headers say, each as its schema expects it. Of a field that has one value the first text counts. */
export function expectTexts(shape: Shape, textsOf: (name: string) => readonly string[]): Record<string, unknown> {
  const values = Object.entries(shape).map(([name, schema]) => [name, expect(schema, valueIn(schema, textsOf(name)), name, name)]);
  return Object.fromEntries(values);
}

function valueIn(schema: Schema, texts: readonly string[]): unknown {
  const form = formOf(schema);
  if (texts.length === 0) return undefined;
  return form instanceof z.ZodMiniArray ? texts.map((text) => meaningOf(form.def.element as Schema, text)) : meaningOf(form, texts[0]!);
}

/** A text that does not say what is expected stays one, and is found wrong. */
function meaningOf(form: Schema, text: string): unknown {
  if (form instanceof z.ZodMiniBoolean) return text === "true" || (text !== "false" && text);
  const isNumber = form instanceof z.ZodMiniNumber || (form instanceof z.ZodMiniLiteral && typeof form.def.values[0] === "number");
  return isNumber && /^\d{1,15}$/.test(text) ? Number(text) : text;
}

/** What a schema is when what may be missing is there, and before it means something else. */
function formOf(schema: Schema): Schema {
  if (schema instanceof z.ZodMiniOptional || schema instanceof z.ZodMiniDefault) return formOf(schema.def.innerType as Schema);
  return schema instanceof z.ZodMiniPipe ? formOf(schema.def.in as Schema) : schema;
}
