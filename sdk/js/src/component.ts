/** Between the contract and the classes. What `tiegel plugin build` bundles a plugin with, and the test harness. */

import { Batch } from "./batch.ts";
import { Column } from "./column.ts";
import type { Shape } from "./config.ts";
import type {
  FitterInterface,
  MetaInterface,
  Batch as RawBatch,
  Column as RawColumn,
  Schema as RawSchema,
  RequestInterface,
  TransformerInterface,
} from "./contract.gen.ts";
import { PluginError } from "./error.ts";
import { type Host, log, setHost } from "./host.ts";
import { check, checkSchema, type JsonSchema } from "./json_schema.ts";
import { Estimator, RequestProcessor, type Rows, Transform } from "./plugin.ts";
import { type Field, Schema } from "./schema.ts";

/** What tiegel-plugin.toml says of a plugin. */
export interface Package {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
}

type Instance = Transform<never> | RequestProcessor<never>;

/** A class that extends `Transform`, `Estimator` or `RequestProcessor`. */
export interface PluginClass {
  new (): Instance;
  readonly config: Shape<unknown>;
  readonly rowWise: boolean;
  readonly preferredRows: number;
  readonly stateVersion: number;
}

/** All interfaces of the contract; the world says which of them a component exports. */
export interface Component {
  readonly meta: MetaInterface;
  readonly transformer: TransformerInterface;
  readonly fitter: FitterInterface;
  readonly request: RequestInterface;
}

const DIALECT = "https://json-schema.org/draft/2020-12/schema";

/** The plugin of this component: none until `configure`. */
interface Bound {
  readonly plugin: Instance;
  readonly input: Schema;
  readonly target: Field | null;
}

/** A plugin's class as the contract's functions. Errors of the plugin are thrown as the contract's records. */
export function component(Plugin: PluginClass, about: Package, host: Host): Component {
  if (typeof Plugin !== "function") {
    throw new TypeError("the entry file has no plugin: `export default class … extends Transform`");
  }
  setHost(host);
  let bound: Bound | undefined;
  const configured = (): Bound => {
    if (bound === undefined) throw PluginError.internal("configure was not called first");
    return bound;
  };
  return {
    meta: {
      describe: guarded(() => describe(Plugin, about)),
      configure: guarded((config, input, target) => {
        bound = bind(Plugin, config, input, target);
        return bound.plugin instanceof Transform ? (bound.plugin.output()?.toRaw() ?? null) : null;
      }),
    },
    transformer: transformer(configured),
    fitter: fitter(configured),
    request: request(configured),
  };
}

function describe(Plugin: PluginClass, about: Package): ReturnType<MetaInterface["describe"]> {
  checkSchema(Plugin.config.schema);
  const schema: JsonSchema = { $schema: DIALECT, ...Plugin.config.schema };
  return {
    ...about,
    configSchema: JSON.stringify(schema),
    rowWise: Plugin.rowWise,
    preferredRows: Plugin.preferredRows,
    stateVersion: Plugin.prototype instanceof Estimator ? Plugin.stateVersion : 0,
  };
}

function bind(Plugin: PluginClass, config: string, input: RawSchema, target: Field | null): Bound {
  const plugin = new Plugin();
  const schema = Schema.fromRaw(input);
  const checked = check(Plugin.config.schema, parse(config));
  plugin.configure(checked as never, schema, target);
  return { plugin, input: schema, target };
}

function parse(config: string): unknown {
  try {
    return JSON.parse(config);
  } catch (error) {
    throw PluginError.invalidConfig(`config: it is not JSON: ${(error as Error).message}`);
  }
}

function transformer(configured: () => Bound): TransformerInterface {
  const bound = () => {
    const { plugin, input } = configured();
    if (!(plugin instanceof Transform)) throw PluginError.unsupported("the plugin is no Transform");
    return { plugin, input };
  };
  return {
    transform: guarded((raw) => {
      const { plugin, input } = bound();
      const answer = plugin.transform(new Batch(input, raw.rows, raw.columns));
      return "rows" in answer ? toRaw(answer) : { rows: raw.rows, columns: [...answer] };
    }),
    flush: guarded(() => {
      const rows = bound().plugin.flush();
      return rows === null ? null : toRaw(rows);
    }),
  };
}

function fitter(configured: () => Bound): FitterInterface {
  const estimator = (): Estimator<never> => {
    const { plugin } = configured();
    if (plugin instanceof Estimator) return plugin;
    throw PluginError.unsupported("the plugin is no Estimator");
  };
  return {
    partialFit: guarded((raw, target) => {
      const { input, target: field } = configured();
      const column = field === null || target === null ? null : new Column(field, raw.rows, target);
      estimator().partialFit(new Batch(input, raw.rows, raw.columns), column);
    }),
    partial: guarded(() => estimator().partial()),
    merge: guarded((partial) => estimator().merge(partial)),
    finish: guarded(() => {
      const state = estimator().finish();
      return [fittedOutput(estimator()), state];
    }),
    load: guarded((state, version) => {
      estimator().load(state, version);
      return fittedOutput(estimator());
    }),
  };
}

function request(configured: () => Bound): RequestInterface {
  const processor = (): RequestProcessor<never> => {
    const { plugin } = configured();
    if (plugin instanceof RequestProcessor) return plugin;
    throw PluginError.unsupported("the plugin is no RequestProcessor");
  };
  return {
    preprocess: guarded((input) => processor().preprocess(input)),
    postprocess: guarded((outputs, accept) => processor().postprocess(outputs, accept)),
  };
}

function fittedOutput(plugin: Transform<never>): RawSchema {
  const output = plugin.output();
  if (output === null) throw PluginError.internal("fitted, but there is no output schema");
  return output.toRaw();
}

function toRaw({ rows, columns }: Rows): RawBatch {
  return { rows, columns: columns.map((column): RawColumn => ({ ...column })) };
}

/** Whatever is thrown becomes the contract's error; where it is no refusal but a bug, its stack goes to the log. */
function guarded<A extends unknown[], R>(call: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    try {
      return call(...args);
    } catch (error) {
      throw explained(error).toRaw();
    }
  };
}

function explained(error: unknown): PluginError {
  if (error instanceof PluginError) return error;
  if (!(error instanceof Error)) return PluginError.internal(`the plugin threw ${String(error)}`);
  const { name, message, stack } = error;
  log.error(`${name}: ${message}\n${stack ?? ""}`);
  const frame = stack?.split("\n").find((line) => line.trim().startsWith("at "));
  return PluginError.internal(`${name}: ${message}${frame === undefined ? "" : `, ${frame.trim()}`}`);
}
