import type { Overview } from "../../api/queries";
import { compactCount, plural } from "../../lib/format";
import { Icon } from "../../ui/icon";
import { StateMark } from "../../ui/state";

interface Stop {
  anchor: string;
  title: string;
  count: number;
  state: string | undefined;
  note: string;
}

/** The way from raw data to an answer, one stop for each kind of thing; each links to its section. */
export function Flow({ overview }: { overview: Overview }) {
  return (
    <nav aria-label="From data to endpoint">
      <ol className="grid grid-cols-2 overflow-hidden rounded-lg border border-line bg-surface md:grid-cols-5">
        {stops(overview).map((stop) => (
          <li
            key={stop.anchor}
            className="-mr-px -mb-px border-line border-r border-b last:col-span-2 md:last:col-span-1"
          >
            <a
              href={`#${stop.anchor}`}
              className="group block h-full px-4 py-3 -outline-offset-2 hover:bg-raised"
            >
              <span className="flex items-baseline justify-between gap-2">
                <span className="text-xs text-ink-2">{stop.title}</span>
                <Icon name="chevron" className="self-center text-line-strong group-hover:text-ink-2" />
              </span>
              <span className="mt-0.5 block font-semibold text-[22px] leading-7 tracking-tight">
                {stop.count}
              </span>
              <span className="mt-1 flex min-w-0 items-center gap-1.5 text-xs text-ink-2">
                {stop.state && <StateMark state={stop.state} />}
                <span className="truncate">{stop.note}</span>
              </span>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function stops(overview: Overview): Stop[] {
  return [datasets(overview), pipelines(overview), runs(overview), models(overview), endpoints(overview)];
}

function datasets({ datasets }: Overview): Stop {
  const rows = datasets.reduce((sum, dataset) => sum + dataset.rows, 0);
  const failing = datasets.reduce((sum, dataset) => sum + dataset.tests_total - dataset.tests_passed, 0);
  const tests = datasets.reduce((sum, dataset) => sum + dataset.tests_total, 0);
  const checked =
    tests === 0 ? "" : failing > 0 ? ` · ${plural(failing, "test")} failing` : ` · ${tests} tests pass`;
  return {
    anchor: "datasets",
    title: "Datasets",
    count: datasets.length,
    state: failing > 0 ? "failed" : tests > 0 ? "succeeded" : undefined,
    note: datasets.length === 0 ? "none yet" : `${compactCount(rows)} rows${checked}`,
  };
}

function pipelines({ pipelines }: Overview): Stop {
  const steps = pipelines.flatMap((pipeline) => pipeline.steps);
  const last = pipelines
    .flatMap((pipeline) => (pipeline.last_job ? [pipeline.last_job] : []))
    .reduce<{ state: string; created_ms: number } | undefined>(
      (newest, job) => (newest === undefined || job.created_ms > newest.created_ms ? job : newest),
      undefined,
    );
  const cached = steps.filter((step) => step.cached).length;
  const note =
    cached > 0 ? `${plural(steps.length, "step")} · ${cached} cached` : plural(steps.length, "step");
  return {
    anchor: "pipelines",
    title: "Pipelines",
    count: pipelines.length,
    state: last?.state,
    note: pipelines.length === 0 ? "none yet" : note,
  };
}

function runs({ runs }: Overview): Stop {
  const newest = runs.reduce<Overview["runs"][number] | undefined>(
    (best, run) => (best === undefined || run.start_ms > best.start_ms ? run : best),
    undefined,
  );
  return {
    anchor: "runs",
    title: "Runs",
    count: runs.length,
    state: newest?.status,
    note: newest === undefined ? "none yet" : newest.name,
  };
}

function models({ models }: Overview): Stop {
  const aliases = models.flatMap((model) =>
    model.aliases.map((alias) => `@${alias.alias} v${alias.version}`),
  );
  return {
    anchor: "models",
    title: "Models",
    count: models.length,
    state: undefined,
    note: models.length === 0 ? "none yet" : aliases.length === 0 ? "no alias" : aliases.join(", "),
  };
}

function endpoints({ endpoints }: Overview): Stop {
  const ready = endpoints.filter((endpoint) => endpoint.state === "ready").length;
  const worst = ["refused", "deploying", "pending"].find((state) => endpoints.some((e) => e.state === state));
  return {
    anchor: "endpoints",
    title: "Endpoints",
    count: endpoints.length,
    state: endpoints.length === 0 ? undefined : (worst ?? "ready"),
    note: endpoints.length === 0 ? "none yet" : `${ready} of ${endpoints.length} ready`,
  };
}
