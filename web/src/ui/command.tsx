import { CopyButton } from "./copy";

/** A shell command to copy. `shown` may leave out what a reader need not see. */
export function Command({ text, what }: { text: string; what: string }) {
  return (
    <div className="flex items-start gap-1 rounded-md border border-line bg-raised py-1 pr-1 pl-3">
      <pre className="min-w-0 flex-1 overflow-x-auto py-0.5 font-mono text-xs leading-5 text-ink">
        <code>{text}</code>
      </pre>
      <CopyButton text={text} what={what} />
    </div>
  );
}
