import type { Overview } from "../../api/queries";
import { Icon } from "../../ui/icon";
import { concerns } from "./attention";

/** What needs a person, or nothing at all. */
export function Concerns({ overview }: { overview: Overview }) {
  const found = concerns(overview);
  if (found.length === 0) return null;
  return (
    <section aria-label="Needs attention" className="rounded-lg border border-bad-line bg-bad-soft px-4 py-3">
      <ul className="grid gap-1.5">
        {found.map((concern) => (
          <li key={concern.key} className="flex items-start gap-2">
            <Icon name="warning" className="mt-[3px] text-bad" />
            <span className="min-w-0 break-words">
              <a
                href={`#${concern.anchor}`}
                className="font-medium text-bad underline-offset-2 hover:underline"
              >
                {concern.subject}
              </a>
              : {concern.what}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
