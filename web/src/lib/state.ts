/** How a state looks: a tone and a shape, so that colour alone never tells it. */
export type Tone = "good" | "bad" | "active" | "quiet";
export type Shape = "check" | "cross" | "spinner" | "hollow" | "layers" | "slash" | "clock";

export interface Look {
  label: string;
  tone: Tone;
  shape: Shape;
}

const LOOKS: Record<string, Look> = {
  queued: { label: "Queued", tone: "quiet", shape: "clock" },
  waiting: { label: "Waiting", tone: "quiet", shape: "hollow" },
  scheduled: { label: "Scheduled", tone: "quiet", shape: "clock" },
  pending: { label: "Pending", tone: "quiet", shape: "clock" },
  running: { label: "Running", tone: "active", shape: "spinner" },
  deploying: { label: "Deploying", tone: "active", shape: "spinner" },
  succeeded: { label: "Succeeded", tone: "good", shape: "check" },
  finished: { label: "Finished", tone: "good", shape: "check" },
  ready: { label: "Ready", tone: "good", shape: "check" },
  cached: { label: "Cached", tone: "good", shape: "layers" },
  failed: { label: "Failed", tone: "bad", shape: "cross" },
  refused: { label: "Refused", tone: "bad", shape: "cross" },
  cancelled: { label: "Cancelled", tone: "quiet", shape: "slash" },
  killed: { label: "Killed", tone: "quiet", shape: "slash" },
};

/** Jobs, steps and endpoints write states in lower case, MLflow's runs in upper case. */
export function lookOf(state: string | null | undefined): Look {
  if (!state) return { label: "Not run", tone: "quiet", shape: "hollow" };
  return LOOKS[state.toLowerCase()] ?? { label: state, tone: "quiet", shape: "hollow" };
}
