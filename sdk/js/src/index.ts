/** Write Tiegel plugins in TypeScript or JavaScript: one class, which runs under node and as a sandboxed component. */

export { Batch, columnFrom, columnOf, type ValueOf } from "./batch.ts";
export * as bitmap from "./bitmap.ts";
export { Reader, Writer } from "./codec.ts";
export { type Buffers, Column, type FixedDtype, type Views } from "./column.ts";
export type { Infer, Shape } from "./config.ts";
export * as config from "./config.ts";
export type { Dtype, ErrorCode, Level, Payload, Tensor } from "./contract.gen.ts";
export { PluginError } from "./error.ts";
export { artifact, log, random } from "./host.ts";
export type { JsonSchema } from "./json_schema.ts";
export { Estimator, RequestProcessor, type Rows, Transform } from "./plugin.ts";
export { type Field, field, isInteger, isNumber, Schema } from "./schema.ts";
export * as utf8 from "./utf8.ts";
