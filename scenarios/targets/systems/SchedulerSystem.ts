// Our scheduler in kube-scheduler's place, under kube-scheduler's own identity, through the run's front where there is one.
// Owns its command line and its kubeconfig; whether pods get nodes is seen in the run itself.
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type OpenedSystem, openOwn, type SystemPlace } from "./System.ts"

/** Starts the scheduler; it lives as long as the scope. `through` is the URL of a front. */
export const openScheduler = ({ folder, plane }: SystemPlace, through: string | undefined) =>
  Effect.gen(function* () {
    const own = readFileSync(plane.files.kubeconfigOf("kube-scheduler"), "utf8")
    const kubeconfig = join(folder, "scheduler.conf")
    writeFileSync(kubeconfig, own.replace(plane.url, through ?? plane.url), { mode: 0o600 })
    const args = ["serve", "scheduler", "--kubeconfig", kubeconfig, "--no-leader-elect"]
    // It serves nothing that could be asked: pods that wait for it are seen.
    const process = yield* openOwn("scheduler", args, folder, Effect.succeed(true))
    const opened: OpenedSystem = { processes: [process] }
    return opened
  })
