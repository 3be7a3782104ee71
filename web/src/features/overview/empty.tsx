import { Command } from "../../ui/command";
import { firstCommands } from "./commands";

/** An empty project teaches how to fill it. */
export function EmptyProject({ project }: { project: string }) {
  return (
    <section aria-labelledby="empty-title" className="mx-auto mt-10 w-full max-w-2xl">
      <h2 id="empty-title" className="font-semibold text-lg">
        Nothing in {project} yet
      </h2>
      <p className="mt-1 text-ink-2">
        Three commands go from raw data to a served model. This page fills while they run.
      </p>
      <ol className="mt-5 grid gap-4">
        {firstCommands(location.origin).map(({ what, text }, index) => (
          <li key={what} className="grid grid-cols-[24px_1fr] gap-x-2">
            <span aria-hidden="true" className="font-semibold text-accent">
              {index + 1}
            </span>
            <div className="min-w-0">
              <h3 className="mb-1 font-medium">{what}</h3>
              <Command text={text} what="the command" />
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
