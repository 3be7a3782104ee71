import {
  type Batch,
  type Buffers,
  columnOf,
  config,
  field,
  type Infer,
  PluginError,
  Schema,
  Transform,
} from "@tiegel/plugin";
import { type Cell, type Conversion, conversion, GROUP_TYPES } from "./conversion.ts";

const options = config.object({
  pattern: config.string({
    minLength: 1,
    maxLength: 1_000,
    description: "A JavaScript regular expression with named groups: (?<year>\\d{4}).",
  }),
  ignore_case: config.boolean({ default: false }),
  multiline: config.boolean({ default: false, description: "^ and $ also match at line breaks." }),
  dot_all: config.boolean({ default: false, description: "A dot also matches line breaks." }),
  types: config.record(config.oneOf(GROUP_TYPES), {
    default: {},
    description: "The type of a group's column, by the group's name; utf8 where it is not listed.",
  }),
  invalid: config.oneOf(["null", "error"], {
    default: "null",
    description: "What becomes of a text that is not of its group's type.",
  }),
  max_chars: config.integer({
    default: 10_000,
    minimum: 1,
    maximum: 1_000_000,
    description: "Longer texts are an error: matching may take long.",
  }),
});

type Options = Infer<typeof options>;

/** Turns the named groups of a pattern, matched against a text column, into columns. */
export default class RegexExtract extends Transform<Options> {
  static override readonly config = options;

  #pattern = /(?:)/u;
  #groups: { name: string; convert: Conversion }[] = [];
  #errorsOnInvalid = false;
  #charsMax = 0;

  configure(given: Options, input: Schema): void {
    checkInput(input);
    this.#pattern = compiled(given);
    const names = groupNames(this.#pattern);
    const unknown = Object.keys(given.types).find((name) => !names.includes(name));
    if (unknown !== undefined) {
      throw PluginError.invalidConfig(
        `config.types: the pattern has no group '${unknown}'; it has ${names.join(", ")}`,
      );
    }
    this.#groups = names.map((name) => ({ name, convert: conversion(given.types[name] ?? "utf8") }));
    this.#errorsOnInvalid = given.invalid === "error";
    this.#charsMax = given.max_chars;
  }

  output(): Schema {
    return new Schema(
      this.#groups.map(({ name, convert }) => field(name, convert.dtype, { nullable: true })),
    );
  }

  transform(input: Batch): Buffers[] {
    const column = input.column(0);
    const matches = column.texts().map((text, row) => {
      if (text !== null && text.length > this.#charsMax) {
        const message = `the text has ${text.length} characters; at most ${this.#charsMax} are matched`;
        throw PluginError.invalidInput(message).at(column.name, row);
      }
      return text === null ? undefined : this.#pattern.exec(text)?.groups;
    });
    return this.#groups.map(({ name, convert }) => {
      const cells = matches.map((groups, row) =>
        this.#cell(groups?.[name], convert, { column: column.name, row }),
      );
      return columnOf(convert.dtype, cells as never[]);
    });
  }

  #cell(text: string | undefined, convert: Conversion, at: { column: string; row: number }): Cell | null {
    if (text === undefined) return null;
    const cell = convert.parse(text);
    if (cell === null && this.#errorsOnInvalid) {
      const shown = JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
      throw PluginError.invalidInput(`${shown} is no ${convert.dtype}`).at(at.column, at.row);
    }
    return cell;
  }
}

function checkInput(input: Schema): void {
  const [first, second] = input.fields;
  if (first === undefined)
    throw PluginError.invalidSchema("regex-extract reads one utf8 column; none was given");
  if (second !== undefined) throw PluginError.invalidSchema("regex-extract reads one column").at(second.name);
  if (first.dtype === "utf8" && first.width === 1) return;
  throw PluginError.invalidSchema(`regex-extract reads a utf8 column, not ${first.dtype}`).at(first.name);
}

function compiled({ pattern, ignore_case, multiline, dot_all }: Options): RegExp {
  const flags = `u${ignore_case ? "i" : ""}${multiline ? "m" : ""}${dot_all ? "s" : ""}`;
  try {
    return new RegExp(pattern, flags);
  } catch (error) {
    throw PluginError.invalidConfig(`config.pattern: ${(error as Error).message}`);
  }
}

/** In the order of the pattern. */
function groupNames(pattern: RegExp): string[] {
  // With an alternative that matches nothing, every group is there, undefined.
  const groups = new RegExp(`${pattern.source}|`, pattern.flags).exec("")?.groups;
  const names = Object.keys(groups ?? {});
  if (names.length > 0) return names;
  throw PluginError.invalidConfig("config.pattern: it has no named group such as (?<year>\\d{4})");
}
