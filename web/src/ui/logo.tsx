/** A crucible: what goes in raw comes out as one piece. */
export function Logo() {
  return (
    <svg viewBox="0 0 24 24" width="22" height="22" fill="none" aria-hidden="true" focusable="false">
      <path
        d="M4.6 8h14.8l-2.05 10.3A3.4 3.4 0 0 1 14 21h-4a3.4 3.4 0 0 1-3.35-2.7z"
        className="fill-accent"
      />
      <path d="M2.75 8h18.5" className="stroke-accent" strokeWidth="2.2" strokeLinecap="round" />
      <path
        d="M12 1.4c1.7 1.5 2.3 2.6 1.5 4.1-.8-.5-1-.9-1.1-1.5-.6.5-1.1 1.1-.9 1.9-1.1-.8-1.1-2.4.5-4.5z"
        fill="#f59a3c"
      />
      <path d="M8.2 12.4h7.6" className="stroke-surface" strokeWidth="1.6" strokeLinecap="round" />
    </svg>
  );
}
