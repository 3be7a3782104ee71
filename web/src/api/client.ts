import createClient from "openapi-fetch";
import type { components, paths } from "./schema.gen";

export type Problem = components["schemas"]["Problem"];

export const client = createClient<paths>({ baseUrl: globalThis.location?.origin ?? "" });

/** An answer that is no success, in words that can be shown. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly code: string;
  readonly traceId: string | undefined;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? `The server answered ${status}.`);
    this.name = "ApiFailure";
    this.status = status;
    this.code = problem.code ?? "unknown";
    this.traceId = problem.trace_id ?? undefined;
  }
}

/** The data of an answer, or an {@link ApiFailure}. */
export function unwrap<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data !== undefined) return answer.data;
  const problem = typeof answer.error === "object" && answer.error !== null ? answer.error : {};
  throw new ApiFailure(answer.response.status, problem as Partial<Problem>);
}
