import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { ApiFailure, client, unwrap } from "./client";
import type { paths } from "./schema.gen";

export type Overview = paths["/api/v1/overview"]["get"]["responses"][200]["content"]["application/json"];
export type Dataset = Overview["datasets"][number];
export type Pipeline = Overview["pipelines"][number];
export type Step = Pipeline["steps"][number];
export type Training = Overview["trainings"][number];
export type Run = Overview["runs"][number];
export type Model = Overview["models"][number];
export type Endpoint = Overview["endpoints"][number];
export type Job = Overview["jobs"][number];

export const POLL_BUSY_MS = 2_000;
export const POLL_IDLE_MS = 10_000;
const RETRIES_MAX = 2;

/** Whether something changes by itself, so that it is worth asking often. */
export function isBusy(overview: Overview): boolean {
  const jobs = overview.jobs.some((job) => job.state === "running" || job.state === "queued");
  return jobs || overview.endpoints.some((endpoint) => endpoint.state === "deploying");
}

export function overviewQuery(project: string | undefined) {
  return queryOptions({
    queryKey: ["overview", project ?? null],
    queryFn: async ({ signal }) => {
      const query = project === undefined ? {} : { project };
      return unwrap(await client.GET("/api/v1/overview", { params: { query }, signal }));
    },
    // While another project loads, the one before stays on the page, dimmed.
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (state.data && isBusy(state.data) ? POLL_BUSY_MS : POLL_IDLE_MS),
    // The server's own "no" will not change by asking again at once.
    retry: (failures, error) =>
      failures < RETRIES_MAX && !(error instanceof ApiFailure && error.status < 500),
    retryDelay: 500,
  });
}
