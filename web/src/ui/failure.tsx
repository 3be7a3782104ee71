import { Link } from "@tanstack/react-router";
import { ApiFailure } from "../api/client";
import { CopyId } from "./copy";

interface FailureProps {
  error: Error;
  retry: () => void;
  retrying: boolean;
}

/** What went wrong, in the server's words, and a way on. */
export function Failure({ error, retry, retrying }: FailureProps) {
  const answered = error instanceof ApiFailure;
  return (
    <section
      role="alert"
      className="mx-auto mt-10 max-w-2xl rounded-lg border border-bad-line bg-bad-soft p-5"
    >
      <h2 className="font-semibold text-base">
        {answered ? "The server refused" : "The server does not answer"}
      </h2>
      <p className="mt-1 break-words first-letter:uppercase">
        {answered ? error.message : "Is it running? The page asks again by itself."}
      </p>
      {answered && (
        <p className="mt-2 flex flex-wrap gap-x-4 text-ink-2 text-xs">
          <span>
            {error.status} {error.code}
          </span>
          {error.traceId && (
            <span>
              trace <CopyId id={error.traceId} what="trace id" />
            </span>
          )}
        </p>
      )}
      <p className="mt-4 flex items-center gap-4">
        <button
          type="button"
          onClick={retry}
          disabled={retrying}
          className="rounded-md border border-line-strong bg-surface px-3 py-1 font-medium hover:bg-raised disabled:opacity-60"
        >
          {retrying ? "Asking…" : "Try again"}
        </button>
        {answered && error.status === 404 && (
          <Link to="/" className="font-medium text-accent underline-offset-2 hover:underline">
            Go to the default project
          </Link>
        )}
      </p>
    </section>
  );
}
