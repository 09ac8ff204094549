// What all pages share: markup from text that can never become markup, the shell with its policy, and the search form.
// Owns those; nothing on a page is loaded from anywhere, and scripts and styles are these and no others.
import { hash } from "node:crypto"
import type { HttpExchange } from "#net"
import { pageScript } from "./PageScript.ts"
import { pageStyle } from "./PageStyle.ts"

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

/** Markup, made by `markup` alone. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = string | number | Html | ReadonlyArray<Html> | undefined

const partText = (part: Part): string => {
  if (part instanceof Html) return part.text
  if (part === undefined) return ""
  if (typeof part === "string" || typeof part === "number") {
    return String(part)
      .toWellFormed()
      .replace(/[&<>"']/g, (character) => entities[character] ?? character)
  }
  return part.map(({ text }) => text).join("")
}

/** Markup with texts put in, escaped. */
export const markup = (strings: TemplateStringsArray, ...parts: ReadonlyArray<Part>): Html =>
  new Html(strings.map((text, at) => `${text}${partText(parts[at])}`).join(""))

/** What was asked for last, to fill the form with. */
export interface Asked {
  readonly what: string
  readonly cluster: string
  readonly namespace: string
  readonly user: string
  readonly hours: number
}

export const hoursChoices = [1, 6, 24, 168] as const

const option = (value: string, label: string, chosen: boolean): Html =>
  markup`<option value="${value}"${chosen ? new Html(" selected") : ""}>${label}</option>`

const hoursText = (hours: number): string => (hours < 48 ? `${hours} h` : `${hours / 24} days`)

const form = ({ cluster, hours, namespace, user, what }: Asked, clusters: ReadonlyArray<string>): Html => markup`
<form role="search" action="/" method="get">
  <label>Object <input name="what" value="${what}" placeholder="pod/web-0, deployments.apps/web, web" autocomplete="off" accesskey="s"></label>
  <label>Namespace <input name="namespace" value="${namespace}" size="12" autocomplete="off"></label>
  <label>Changed by <input name="user" value="${user}" size="14" autocomplete="off"></label>
  <label>Cluster <select name="cluster">${option("", "all", cluster === "")}${clusters.map((one) => option(one, one, one === cluster))}</select></label>
  <label>Last <select name="hours">${hoursChoices.map((one) => option(String(one), hoursText(one), one === hours))}</select></label>
  <button>Search</button>
</form>`

/** One page. */
export const shell = (
  title: string,
  asked: Asked,
  clusters: ReadonlyArray<string>,
  body: Html
): Html => markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(pageStyle)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<header><a class="home" href="/">Object traces</a>${form(asked, clusters)}</header>
<main id="main" tabindex="-1">${body}</main>
<footer>Keys: <kbd>/</kbd> search, <kbd>j</kbd> and <kbd>k</kbd> next and previous span, <kbd>Enter</kbd> open or close, <kbd>e</kbd> open all, <kbd>c</kbd> close all.</footer>
<script>${new Html(pageScript)}</script>
</body>
</html>
`

const source = (text: string): string => `'sha256-${hash("sha256", text, "base64")}'`
const policy = [
  "default-src 'none'",
  `style-src ${source(pageStyle)}`,
  `script-src ${source(pageScript)}`,
  "img-src data:",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'"
].join("; ")

export const answerPage = (exchange: HttpExchange, status: number, page: Html): void =>
  exchange.respond(
    status,
    [
      ["content-type", "text/html; charset=utf-8"],
      ["content-security-policy", policy],
      ["cache-control", "no-store"],
      ["referrer-policy", "no-referrer"],
      ["x-content-type-options", "nosniff"]
    ],
    page.text
  )
