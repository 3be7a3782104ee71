import { useState } from "react";
import { Icon } from "./icon";

const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const ICONS = { system: "system", light: "sun", dark: "moon" } as const;

/** What public/theme.js has applied before the first paint. */
function current(): Theme {
  const theme = document.documentElement.dataset.theme;
  return theme === "light" || theme === "dark" ? theme : "system";
}

function apply(theme: Theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}

export function ThemeToggle() {
  const [theme, setTheme] = useState(current);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const label = `Theme: ${theme}. Change to ${next}`;
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      onClick={() => {
        apply(next);
        setTheme(next);
      }}
      className="inline-flex size-8 items-center justify-center rounded-md text-ink-2 hover:bg-raised hover:text-ink"
    >
      <Icon name={ICONS[theme]} />
    </button>
  );
}
