/**
 * The shapes of the native API, in the form that openapi-typescript writes.
 * `npm run gen` replaces this file from ../sdk/openapi/platform.json.
 */

export interface paths {
  "/api/v1/overview": {
    parameters: { query?: never; header?: never; path?: never; cookie?: never };
    /** Everything of one project, with its state. */
    get: operations["overview"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}

export type webhooks = Record<string, never>;

export interface components {
  schemas: {
    Overview: {
      version: string;
      projects: components["schemas"]["NamedProject"][];
      project: string;
      datasets: components["schemas"]["DatasetLine"][];
      pipelines: components["schemas"]["PipelineLine"][];
      trainings: components["schemas"]["TrainingLine"][];
      runs: components["schemas"]["RunLine"][];
      models: components["schemas"]["ModelLine"][];
      endpoints: components["schemas"]["EndpointLine"][];
      jobs: components["schemas"]["JobLine"][];
    };
    NamedProject: { name: string };
    DatasetLine: {
      name: string;
      version: number;
      rows: number;
      columns: number;
      bytes: number;
      digest: string;
      created_ms: number;
      tests_passed: number;
      tests_total: number;
    };
    PipelineLine: {
      name: string;
      steps: components["schemas"]["StepLine"][];
      /** The first step that an endpoint runs. */
      serving_boundary?: string | null;
      last_job?: components["schemas"]["LastJob"] | null;
    };
    StepLine: {
      name: string;
      kind: string;
      state?: string | null;
      rows?: number | null;
      cached: boolean;
      duration_ms?: number | null;
    };
    LastJob: {
      id: string;
      state: string;
      created_ms: number;
      finished_ms?: number | null;
    };
    TrainingLine: {
      name: string;
      pipeline: string;
      task: string;
      family: string;
      model?: string | null;
      last_run?: string | null;
    };
    RunLine: {
      run_id: string;
      experiment: string;
      name: string;
      status: string;
      start_ms: number;
      end_ms?: number | null;
      metrics: { [key: string]: number };
    };
    ModelLine: {
      name: string;
      latest_version: number;
      aliases: components["schemas"]["Alias"][];
    };
    Alias: { alias: string; version: number };
    EndpointLine: {
      name: string;
      state: string;
      model: string;
      live_version?: number | null;
      message?: string | null;
      replay?: components["schemas"]["ReplayLine"] | null;
    };
    ReplayLine: { rows: number; passed: boolean; max_prediction_difference?: number | null };
    JobLine: {
      id: string;
      target: string;
      state: string;
      created_ms: number;
      started_ms?: number | null;
      finished_ms?: number | null;
      steps_done: number;
      steps_total: number;
      error?: string | null;
    };
    /** What went wrong, for programs (`code`) and for people (`detail`); RFC 9457. */
    Problem: {
      type: string;
      title: string;
      status: number;
      code: string;
      detail: string;
      trace_id?: string | null;
      errors?: components["schemas"]["ProblemItem"][];
    };
    ProblemItem: { path: string; detail: string; line?: number | null; column?: number | null };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}

export type $defs = Record<string, never>;

export interface operations {
  overview: {
    parameters: {
      query?: { project?: string };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      200: {
        headers: { [name: string]: unknown };
        content: { "application/json": components["schemas"]["Overview"] };
      };
      "4XX": {
        headers: { [name: string]: unknown };
        content: { "application/problem+json": components["schemas"]["Problem"] };
      };
    };
  };
}
