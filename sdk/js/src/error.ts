import type { ErrorCode, PluginError as Raw } from "./contract.gen.ts";

/**
 * A refusal that the user reads: what is wrong, and where.
 *
 *     throw PluginError.invalidInput("the price is negative").at("price", 3);
 */
export class PluginError extends Error {
  override readonly name = "PluginError";
  readonly code: ErrorCode;
  column: string | null = null;
  /** Counted from 0 within the batch. */
  row: number | null = null;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** The config asks for something that does not exist or does not fit together. */
  static invalidConfig(message: string): PluginError {
    return new PluginError("invalid-config", message);
  }

  /** The input columns are not ones that the plugin can read. */
  static invalidSchema(message: string): PluginError {
    return new PluginError("invalid-schema", message);
  }

  /** A value is not one that the plugin can work with. */
  static invalidInput(message: string): PluginError {
    return new PluginError("invalid-input", message);
  }

  /** `transform` was called before a state was there. */
  static notFitted(message: string): PluginError {
    return new PluginError("not-fitted", message);
  }

  /** The bytes given to `load` or `merge` are not ones that this plugin wrote. */
  static badState(message: string): PluginError {
    return new PluginError("bad-state", message);
  }

  static unsupported(message: string): PluginError {
    return new PluginError("unsupported", message);
  }

  static internal(message: string): PluginError {
    return new PluginError("internal", message);
  }

  /** Names the column, and the row where one is to blame. */
  at(column: string, row: number | null = null): this {
    this.column = column;
    this.row = row;
    return this;
  }

  override toString(): string {
    const places = [];
    if (this.column !== null) places.push(`column '${this.column}'`);
    if (this.row !== null) places.push(`row ${this.row}`);
    return places.length === 0 ? this.message : `${this.message} (${places.join(", ")})`;
  }

  toRaw(): Raw {
    return { code: this.code, message: this.message, column: this.column, row: this.row };
  }

  static fromRaw(raw: Raw): PluginError {
    const error = new PluginError(raw.code, raw.message);
    error.column = raw.column;
    error.row = raw.row;
    return error;
  }
}
