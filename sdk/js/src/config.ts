import type { JsonSchema } from "./json_schema.ts";

/** A JSON Schema that knows the TypeScript type of what it describes. */
export interface Shape<T> {
  readonly schema: JsonSchema;
  /** An object may leave it out. */
  readonly optional: boolean;
  /** Never there: it carries the type only. */
  readonly type?: T;
}

/** The type that a shape describes. */
export type Infer<S> = S extends Shape<infer T> ? T : never;

interface About<T> {
  readonly description?: string;
  readonly default?: T;
}

interface NumberRules extends About<number> {
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
}

interface TextRules extends About<string> {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

interface ListRules<T> extends About<readonly T[]> {
  readonly minItems?: number;
  readonly maxItems?: number;
}

function shape<T>(schema: JsonSchema): Shape<T> {
  return { schema, optional: schema.default !== undefined };
}

export function number(rules: NumberRules = {}): Shape<number> {
  return shape({ type: "number", ...rules });
}

export function integer(rules: NumberRules = {}): Shape<number> {
  return shape({ type: "integer", ...rules });
}

export function string(rules: TextRules = {}): Shape<string> {
  return shape({ type: "string", ...rules });
}

export function boolean(about: About<boolean> = {}): Shape<boolean> {
  return shape({ type: "boolean", ...about });
}

/** One of these words. */
export function oneOf<const T extends string>(words: readonly T[], about: About<T> = {}): Shape<T> {
  return shape({ type: "string", enum: words, ...about });
}

export function array<T>(items: Shape<T>, rules: ListRules<T> = {}): Shape<T[]> {
  return shape({ type: "array", items: items.schema, ...rules });
}

/** An object of any keys, all values of one shape. */
export function record<T>(values: Shape<T>, about: About<Record<string, T>> = {}): Shape<Record<string, T>> {
  return shape({ type: "object", additionalProperties: values.schema, ...about });
}

/** May be left out, and is undefined then. */
export function optional<T>(inner: Shape<T>): Shape<T | undefined> {
  return { schema: inner.schema, optional: true };
}

type Shapes = { readonly [name: string]: Shape<unknown> };

/** An object of these fields and no others, so that a misspelt one is an error. */
export function object<S extends Shapes>(
  shapes: S,
  about: { readonly description?: string } = {},
): Shape<{ [K in keyof S]: Infer<S[K]> }> {
  const entries = Object.entries(shapes);
  const required = entries.filter(([, one]) => !one.optional).map(([name]) => name);
  const properties = Object.fromEntries(entries.map(([name, one]) => [name, one.schema]));
  return shape({ type: "object", ...about, properties, required, additionalProperties: false });
}

/** A JSON Schema written by hand, for a config of type `T`. */
export function jsonSchema<T>(schema: JsonSchema): Shape<T> {
  return shape<T>(schema);
}
