import type { Endpoint } from "../../api/queries";
import { metric, plural } from "../../lib/format";
import { Command } from "../../ui/command";
import { Section } from "../../ui/section";
import { StateBadge, StateMark } from "../../ui/state";
import { predictCommand } from "./commands";

export function Endpoints({ endpoints }: { endpoints: Endpoint[] }) {
  return (
    <Section
      id="endpoints"
      title="Endpoints"
      count={endpoints.length}
      empty="An Endpoint document serves a model's alias once a replay of stored rows has shown no skew."
    >
      <div className="grid grid-cols-1 gap-3">
        {endpoints.map((endpoint) => (
          <EndpointCard key={endpoint.name} endpoint={endpoint} />
        ))}
      </div>
    </Section>
  );
}

function EndpointCard({ endpoint }: { endpoint: Endpoint }) {
  const { name, state, model, live_version: version, message } = endpoint;
  const serves = version != null;
  return (
    <article aria-label={`Endpoint ${name}`} className="rounded-lg border border-line bg-surface">
      <header className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2">
        <h3 className="font-medium">{name}</h3>
        <StateBadge state={state} />
        <span className="text-ink-2">
          {model} {serves ? `v${version}` : "(no version yet)"}
        </span>
        <Replay endpoint={endpoint} />
      </header>
      {message && (
        <p className={`break-words px-4 pb-2 ${state === "refused" ? "text-bad" : "text-ink-2"}`}>
          {message}
        </p>
      )}
      {serves && (
        <div className="px-2 pb-2">
          <Command text={predictCommand(name, location.origin)} what={`the command that asks ${name}`} />
        </div>
      )}
    </article>
  );
}

/** Whether stored rows, sent through the endpoint's own path, gave what training saw. */
function Replay({ endpoint: { replay } }: { endpoint: Endpoint }) {
  if (!replay) return null;
  const { rows, passed, max_prediction_difference: difference } = replay;
  return (
    <span className="inline-flex flex-wrap items-center gap-x-1.5 text-ink-2">
      <StateMark state={passed ? "succeeded" : "failed"} />
      {passed ? "No skew" : "Skew"} in {plural(rows, "replayed row")}
      {difference != null && (
        <span className="text-ink-3" title="The largest difference of a prediction">
          max Δ {metric(difference)}
        </span>
      )}
    </span>
  );
}
