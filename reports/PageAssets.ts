// The files that are written into every page: our style and script, and uPlot's.
// The only place of the renderers that touches the disk; read once, on first use.
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

/** What is written into a page. */
export interface PageAssets {
  readonly style: string
  /** A classic script that defines the global `uPlot`. */
  readonly uplot: string
  /** A module; it draws with `uPlot`. */
  readonly script: string
  /** A module that only pages with simulated clusters carry. */
  readonly cluster: string
  /** A module that pages of running runs carry, and nothing else. */
  readonly live: string
}

let cached: PageAssets | undefined

/** Style and script of a page. Throws when the installation lacks them. */
export const pageAssets = (): PageAssets => {
  cached ??= {
    style: [
      uplot("uPlot.min.css"),
      ...["Page.css", "Parts.css", "Charts.css", "Cluster.css", "Media.css"].map(own)
    ].join("\n"),
    uplot: uplot("uPlot.iife.min.js"),
    script: own("Page.js"),
    cluster: own("Cluster.js"),
    live: own("Live.js")
  }
  return cached
}

const own = (name: string): string => readFileSync(new URL(`page/${name}`, import.meta.url), "utf8")

const uplot = (name: string): string =>
  readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), "utf8").trim()
