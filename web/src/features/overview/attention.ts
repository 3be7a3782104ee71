import type { Overview } from "../../api/queries";
import { count, plural } from "../../lib/format";

export interface Concern {
  /** Unique on the page. */
  key: string;
  /** The section that shows it. */
  anchor: string;
  subject: string;
  what: string;
}

/** What a person should look at, the most urgent first: what serves, then what was asked for, then data. */
export function concerns(overview: Overview): Concern[] {
  return [...endpointConcerns(overview), ...jobConcerns(overview), ...datasetConcerns(overview)];
}

function endpointConcerns({ endpoints }: Overview): Concern[] {
  return endpoints.flatMap((endpoint) => {
    const subject = `endpoint/${endpoint.name}`;
    const refused = endpoint.state === "refused";
    if (!refused && endpoint.replay?.passed !== false) return [];
    const serving =
      endpoint.live_version == null ? "nothing serves" : `version ${endpoint.live_version} keeps serving`;
    const what = endpoint.message ?? `the skew replay found a difference; ${serving}`;
    return [{ key: subject, anchor: "endpoints", subject, what }];
  });
}

/** Only a target's newest job: one that succeeded later has made up for it. */
function jobConcerns({ jobs }: Overview): Concern[] {
  const newest = new Map<string, Overview["jobs"][number]>();
  for (const job of jobs) {
    const other = newest.get(job.target);
    if (other === undefined || job.created_ms > other.created_ms) newest.set(job.target, job);
  }
  return [...newest.values()]
    .filter((job) => job.state === "failed")
    .map((job) => ({
      key: job.id,
      anchor: "jobs",
      subject: job.target,
      what:
        job.error ??
        `its last job failed after ${count(job.steps_done)} of ${plural(job.steps_total, "step")}`,
    }));
}

function datasetConcerns({ datasets }: Overview): Concern[] {
  return datasets
    .filter((dataset) => dataset.tests_passed < dataset.tests_total)
    .map((dataset) => ({
      key: `dataset/${dataset.name}`,
      anchor: "datasets",
      subject: `dataset/${dataset.name}`,
      what: `${dataset.tests_total - dataset.tests_passed} of ${plural(dataset.tests_total, "test")} fail`,
    }));
}
