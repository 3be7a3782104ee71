import { PluginError } from "./error.ts";

/** The part of JSON Schema 2020-12 that is checked. `describe` refuses a schema that uses more. */
export interface JsonSchema {
  readonly $schema?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly type?: "object" | "array" | "string" | "number" | "integer" | "boolean" | "null";
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

const KNOWN: readonly string[] = [
  ...["$schema", "title", "description", "default", "examples", "type", "enum", "const"],
  ...["properties", "required", "additionalProperties", "items", "minItems", "maxItems"],
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength", "pattern"],
];

/** Throws where the schema says what `check` would not look at. */
export function checkSchema(schema: JsonSchema, path = "config schema"): void {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.includes(keyword)) {
      throw PluginError.internal(`${path}: the keyword '${keyword}' is not supported; check it in configure`);
    }
  }
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    checkSchema(property, `${path}.${name}`);
  if (schema.items !== undefined) checkSchema(schema.items, `${path}[]`);
  const rest = schema.additionalProperties;
  if (typeof rest === "object") checkSchema(rest, `${path}.*`);
}

/** The value with defaults filled in. Throws with the place of what does not fit. */
export function check(schema: JsonSchema, value: unknown, path = "config"): unknown {
  if (schema.type !== undefined && !isOfType(schema.type, value)) {
    throw wrong(path, `${shown(value)} is no ${schema.type}`);
  }
  if (schema.enum !== undefined && !schema.enum.some((one) => same(one, value))) {
    throw wrong(path, `${shown(value)} is none of ${schema.enum.map(shown).join(", ")}`);
  }
  if (schema.const !== undefined && !same(schema.const, value)) {
    throw wrong(path, `${shown(value)} is not ${shown(schema.const)}`);
  }
  if (typeof value === "number") checkNumber(schema, value, path);
  if (typeof value === "string") checkText(schema, value, path);
  if (Array.isArray(value)) return checkItems(schema, value, path);
  if (typeof value === "object" && value !== null) return checkProperties(schema, { ...value }, path);
  return value;
}

function checkNumber(schema: JsonSchema, value: number, path: string): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  if (minimum !== undefined && value < minimum) throw wrong(path, `${value} is less than ${minimum}`);
  if (maximum !== undefined && value > maximum) throw wrong(path, `${value} is more than ${maximum}`);
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) {
    throw wrong(path, `${value} is not more than ${exclusiveMinimum}`);
  }
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) {
    throw wrong(path, `${value} is not less than ${exclusiveMaximum}`);
  }
}

function checkText(schema: JsonSchema, value: string, path: string): void {
  const { minLength, maxLength, pattern } = schema;
  if (minLength !== undefined && value.length < minLength) {
    throw wrong(path, `${shown(value)} is shorter than ${minLength} characters`);
  }
  if (maxLength !== undefined && value.length > maxLength) {
    throw wrong(path, `${shown(value)} is longer than ${maxLength} characters`);
  }
  if (pattern !== undefined && !new RegExp(pattern, "u").test(value)) {
    throw wrong(path, `${shown(value)} does not match ${pattern}`);
  }
}

function checkItems(schema: JsonSchema, value: unknown[], path: string): unknown[] {
  const { items, minItems, maxItems } = schema;
  if (minItems !== undefined && value.length < minItems) {
    throw wrong(path, `it has ${value.length} items; at least ${minItems} are needed`);
  }
  if (maxItems !== undefined && value.length > maxItems) {
    throw wrong(path, `it has ${value.length} items; at most ${maxItems} are allowed`);
  }
  return items === undefined ? value : value.map((item, index) => check(items, item, `${path}[${index}]`));
}

function checkProperties(schema: JsonSchema, value: Record<string, unknown>, path: string): unknown {
  const properties = schema.properties ?? {};
  const rest = schema.additionalProperties ?? true;
  for (const [name, one] of Object.entries(value)) {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property !== undefined) value[name] = check(property, one, `${path}.${name}`);
    else if (typeof rest === "object") value[name] = check(rest, one, `${path}.${name}`);
    else if (!rest)
      throw wrong(path, `unknown field '${name}'; it knows ${Object.keys(properties).join(", ")}`);
  }
  for (const [name, property] of Object.entries(properties)) {
    if (!Object.hasOwn(value, name) && property.default !== undefined) value[name] = property.default;
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) throw wrong(path, `field '${name}' is missing`);
  }
  return value;
}

function isOfType(type: NonNullable<JsonSchema["type"]>, value: unknown): boolean {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    case "null":
      return value === null;
    default:
      return typeof value === type;
  }
}

/** JSON values, of which objects are compared by their text. */
function same(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === "object" && JSON.stringify(a) === JSON.stringify(b));
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function wrong(path: string, why: string): PluginError {
  return PluginError.invalidConfig(`${path}: ${why}`);
}
