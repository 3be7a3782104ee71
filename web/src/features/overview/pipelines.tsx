import type { Pipeline } from "../../api/queries";
import { plural } from "../../lib/format";
import { CopyId } from "../../ui/copy";
import { Section } from "../../ui/section";
import { StateBadge } from "../../ui/state";
import { Elapsed, RelativeTime } from "../../ui/time";
import { Strip } from "./strip";

export function Pipelines({ pipelines }: { pipelines: Pipeline[] }) {
  return (
    <Section
      id="pipelines"
      title="Pipelines"
      count={pipelines.length}
      empty="A Pipeline document is a list of SQL and Wasm steps; what a step learns is stored with it."
    >
      <div className="grid grid-cols-1 gap-3">
        {pipelines.map((pipeline) => (
          <PipelineCard key={pipeline.name} pipeline={pipeline} />
        ))}
      </div>
    </Section>
  );
}

function PipelineCard({ pipeline }: { pipeline: Pipeline }) {
  const { name, steps, last_job: job, serving_boundary: boundary } = pipeline;
  return (
    <article aria-label={`Pipeline ${name}`} className="rounded-lg border border-line bg-surface">
      <header className="flex flex-wrap items-center gap-x-4 gap-y-1 border-line border-b px-4 py-2">
        <h3 className="font-medium">{name}</h3>
        <StateBadge state={job?.state} />
        {job && (
          <span className="flex items-center gap-4 text-ink-2">
            <RelativeTime at={job.created_ms} />
            <span>
              {job.finished_ms == null ? "for" : "took"}{" "}
              <Elapsed start={job.created_ms} end={job.finished_ms} />
            </span>
            <CopyId id={job.id} what="job id" />
          </span>
        )}
        <span className="ml-auto text-ink-3 text-xs">
          {plural(steps.length, "step")}
          {!boundary && " · no part can be served"}
        </span>
      </header>
      <Strip pipeline={name} steps={steps} boundary={boundary ?? null} />
    </article>
  );
}
