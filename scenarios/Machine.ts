// What a run ran on, for its record: the machine and the version of this package. Reads /proc, /sys and git; knows
// nothing of runs.
import type { Machine, Versions } from "#reports"
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { cpus, loadavg, release, totalmem, type as osType } from "node:os"
import { join } from "node:path"
import { packageRoot, packageVersion } from "./PackageRoot.ts"

const readText = (file: string): string | null => {
  try {
    return readFileSync(file, "utf8").trim()
  } catch {
    return null
  }
}

/** Load average over 1, 5 and 15 minutes. */
export const loadNow = (): Machine["loadBefore"] => {
  const [one = 0, five = 0, fifteen = 0] = loadavg()
  return [one, five, fifteen]
}

/** The machine, with the load before and after the run. */
export const describeMachine = (loadBefore: Machine["loadBefore"], loadAfter: Machine["loadAfter"]): Machine => {
  const processors = cpus()
  const bootId = readText("/proc/sys/kernel/random/boot_id") ?? ""
  return {
    cpuModel: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: `${osType()} ${release()}`,
    node: process.version,
    governor: readText("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    loadBefore,
    loadAfter,
    bootIdHash: createHash("sha256").update(bootId).digest("hex")
  }
}

const gitCommit = (): string | null => {
  if (!existsSync(join(packageRoot, ".git"))) return null
  try {
    return execFileSync("git", ["-C", packageRoot, "rev-parse", "HEAD"], {
      encoding: "utf8",
      stdio: "pipe",
      timeout: 5000
    }).trim()
  } catch {
    return null
  }
}

/** This package's version and, in a checkout, its commit. */
export const describeVersions = (): Versions => ({ wharf: packageVersion(), gitCommit: gitCommit() })
