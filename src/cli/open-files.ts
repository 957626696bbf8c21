/** How many files and sockets this process may have open; Node has raised the limit to the highest that it may by itself. */

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | string } };
}

/** @returns Infinity where there is no limit, or none that is known */
export function openFilesMax(): number {
  // The types of Node do not know `excludeNetwork` yet.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean };
  // It would look up names of all connections.
  const { excludeNetwork } = report;
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as Report;
  report.excludeNetwork = excludeNetwork;
  const soft = Number(userLimits?.open_files?.soft);
  return Number.isNaN(soft) ? Number.POSITIVE_INFINITY : soft;
}
