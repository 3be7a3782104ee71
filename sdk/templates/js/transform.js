import { config, PluginError, Transform } from "@tiegel/plugin";

/** Multiplies every float64 column. */
export default class Plugin extends Transform {
  static config = config.object({
    factor: config.number({ description: "Every number is multiplied by this.", default: 2 }),
  });

  configure({ factor }, input) {
    const other = input.fields.find((field) => field.dtype !== "float64" || field.width !== 1);
    if (other) throw PluginError.invalidSchema("NAME reads float64 columns").at(other.name);
    this.factor = factor;
    this.columns = input;
  }

  output() {
    return this.columns;
  }

  transform(input) {
    return input.columns.map((column) =>
      column.edit("float64", (values) => {
        for (let row = 0; row < values.length; row++) {
          values[row] = column.isNull(row) ? 0 : values[row] * this.factor;
        }
      }),
    );
  }
}
