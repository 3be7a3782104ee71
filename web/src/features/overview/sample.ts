import type { Overview } from "../../api/queries";

/** A project without anything in it, for tests to fill. */
export function emptyOverview(): Overview {
  return {
    version: "0.1.0",
    projects: [{ name: "default" }],
    project: "default",
    datasets: [],
    pipelines: [],
    trainings: [],
    runs: [],
    models: [],
    endpoints: [],
    jobs: [],
  };
}
