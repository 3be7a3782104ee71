import { Link } from "@tanstack/react-router";
import { Icon } from "../../ui/icon";
import { Logo } from "../../ui/logo";
import { ThemeToggle } from "../../ui/theme-toggle";

interface HeaderProps {
  projects: string[];
  project: string | undefined;
  version: string | undefined;
  onProject: (project: string) => void;
  live: React.ReactNode;
}

export function Header({ projects, project, version, onProject, live }: HeaderProps) {
  return (
    <header className="sticky top-0 z-10 border-line border-b bg-canvas/90 backdrop-blur">
      <div className="mx-auto flex h-12 max-w-[1280px] items-center gap-3 px-6">
        <Link to="/" search={true} className="flex items-center gap-2 font-semibold text-base">
          <Logo />
          Tiegel
        </Link>
        <span aria-hidden="true" className="text-line-strong">
          /
        </span>
        {project !== undefined && (
          <ProjectPicker projects={projects} project={project} onProject={onProject} />
        )}
        <div className="ml-auto flex items-center gap-4 text-ink-2">
          {live}
          {version && <span className="hidden text-ink-3 text-xs sm:inline">v{version}</span>}
          <ThemeToggle />
        </div>
      </div>
    </header>
  );
}

interface ProjectPickerProps {
  projects: string[];
  project: string;
  onProject: (project: string) => void;
}

function ProjectPicker({ projects, project, onProject }: ProjectPickerProps) {
  return (
    <span className="relative inline-flex items-center">
      <select
        aria-label="Project"
        value={project}
        onChange={(event) => onProject(event.target.value)}
        className="h-8 max-w-60 appearance-none truncate rounded-md bg-transparent pr-7 pl-2 font-medium hover:bg-raised"
      >
        {projects.map((name) => (
          <option key={name} value={name} className="bg-surface text-ink">
            {name}
          </option>
        ))}
      </select>
      <Icon name="unfold" className="pointer-events-none absolute right-1.5 text-ink-3" />
    </span>
  );
}
