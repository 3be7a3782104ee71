import { type Batch, config, type Infer, PluginError, type Schema, Transform } from "@tiegel/plugin";

const options = config.object({
  max: config.number({ description: "Values above this become this." }),
});

/** Cuts every value of float64 columns at a maximum. */
export default class Clip extends Transform<Infer<typeof options>> {
  static override readonly config = options;

  #max = 0;
  #columns: Schema | null = null;

  configure({ max }: Infer<typeof options>, input: Schema): void {
    const other = input.fields.find(({ dtype, width }) => dtype !== "float64" || width !== 1);
    if (other !== undefined) throw PluginError.invalidSchema("clip reads float64 columns").at(other.name);
    this.#max = max;
    this.#columns = input;
  }

  output() {
    return this.#columns;
  }

  transform(input: Batch) {
    return input.columns.map((column) =>
      column.edit("float64", (values) => {
        for (let row = 0; row < values.length; row++) {
          if ((values[row] ?? 0) > this.#max) values[row] = this.#max;
        }
      }),
    );
  }
}
