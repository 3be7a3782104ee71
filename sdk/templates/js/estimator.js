import { config, Estimator, PluginError, Reader, Writer } from "@tiegel/plugin";

const VERSION = 1;

/** Divides every float64 column by its largest absolute value in the training rows. */
export default class Plugin extends Estimator {
  static config = config.object({
    limit: config.number({ description: "The largest absolute value in the training rows becomes this.", default: 1 }),
  });

  configure({ limit }, input) {
    const other = input.fields.find((field) => field.dtype !== "float64" || field.width !== 1);
    if (other) throw PluginError.invalidSchema("NAME reads float64 columns").at(other.name);
    this.limit = limit;
    this.columns = input;
    this.largest = input.fields.map(() => 0);
  }

  output() {
    return this.columns;
  }

  partialFit(input) {
    input.columns.forEach((column, at) => {
      column.numbers().forEach((x, row) => {
        if (x === null) return;
        if (!Number.isFinite(x)) {
          throw PluginError.invalidInput("a value is not finite").at(this.columns.fields[at].name, row);
        }
        this.largest[at] = Math.max(this.largest[at], Math.abs(x));
      });
    });
  }

  partial() {
    const writer = new Writer(VERSION);
    for (const largest of this.largest) writer.f64(largest);
    return writer.finish();
  }

  merge(partial) {
    const reader = new Reader(partial, VERSION);
    this.largest = this.largest.map((largest) => Math.max(largest, reader.f64()));
    reader.finish();
  }

  finish() {
    return this.partial();
  }

  load(state) {
    this.largest = this.columns.fields.map(() => 0);
    this.merge(state);
  }

  transform(input) {
    return input.columns.map((column, at) => {
      // A column of zeros stays one.
      const factor = this.largest[at] === 0 ? 0 : this.limit / this.largest[at];
      return column.edit("float64", (values) => {
        for (let row = 0; row < values.length; row++) values[row] = column.isNull(row) ? 0 : values[row] * factor;
      });
    });
  }
}
