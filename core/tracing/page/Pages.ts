// The pages' paths: the first page with search and what is stuck, an object's page, and a trace's by its id.
// Owns what a request of a page means; refuses markup.
import type { Clockwork } from "#kube"
import type { HttpExchange } from "#net"
import { stuck } from "../answers/Stuck.ts"
import { why } from "../answers/Why.ts"
import { type Asked as Request, BadParameter } from "../api/Answering.ts"
import { objectParameter, resourceOf } from "../api/ObjectParameter.ts"
import { type ObjectKey, objectText } from "../model/ObjectKey.ts"
import { Attribute } from "../model/Span.ts"
import type { ObjectQuery, SpanStore } from "../store/SpanStore.ts"
import type { DisplayMode } from "../view/DisplayModes.ts"
import type { TraceView, TraceViews } from "../view/TraceViews.ts"
import { parseViewId } from "../view/ViewId.ts"
import { answerPage, type Asked, hoursChoices, type Html, markup, shell } from "./PageHtml.ts"
import { RESULTS_MAX, searchPage } from "./SearchPage.ts"
import { tracePage } from "./TracePage.ts"

const HOUR_US = 3600e6
/** Objects among which a part of a name is looked for. */
const LOOKED_AT_MAX = 20_000
/** What an object's page shows unless asked otherwise: the object with everything that it made. */
const PAGE_MODE = "tracing [owned objects]"

export class Pages {
  private readonly store: SpanStore
  private readonly views: TraceViews
  private readonly clockwork: Pick<Clockwork, "now" | "defer">

  constructor(store: SpanStore, views: TraceViews, clockwork: Pick<Clockwork, "now" | "defer">) {
    this.store = store
    this.views = views
    this.clockwork = clockwork
  }

  /** Answers /, /object and /trace/:id; false for any other path. */
  serve({ exchange, parts, query }: Request): boolean {
    const [first, id] = parts
    if (exchange.method !== "GET" && exchange.method !== "HEAD") return false
    const asked = this.asked(query)
    try {
      if (parts.length === 1 && (first === "" || first === "search")) this.search(exchange, asked)
      else if (parts.length === 1 && first === "object") this.object(exchange, asked, query)
      else if (parts.length === 2 && first === "trace") this.trace(exchange, asked, id.toLowerCase())
      else return false
    } catch (error) {
      if (!(error instanceof BadParameter)) throw error
      this.answer(exchange, 400, "Not understood", asked, markup`<h1>Not understood</h1><p>${error.message}</p>`)
    }
    return true
  }

  private asked(query: URLSearchParams): Asked {
    const of = (name: string): string => (query.get(name) ?? "").trim().slice(0, 512)
    const hours = Number(of("hours"))
    const [what, cluster, namespace, user] = [of("what"), of("cluster"), of("namespace"), of("user")]
    return { what, cluster, namespace, user, hours: hoursChoices.find((one) => one === hours) ?? 24 }
  }

  private answer(exchange: HttpExchange, status: number, title: string, asked: Asked, body: Html): void {
    answerPage(exchange, status, shell(title, asked, this.store.clusters(), body))
  }

  private nowUs(): number {
    return this.clockwork.now() * 1000
  }

  private search(exchange: HttpExchange, asked: Asked): void {
    const { cluster, hours, namespace, user, what } = asked
    const isSearch = `${what}${cluster}${namespace}${user}` !== ""
    const show = (found: ReadonlyArray<ObjectKey>): void => {
      const page = (troubles?: Parameters<typeof searchPage>[0]["stuck"]): void =>
        this.answer(exchange, 200, "Object traces", asked, searchPage({ stuck: troubles, found, hours, isSearch }))
      if (isSearch) page()
      else stuck(this.store, { clockwork: this.clockwork, nowUs: this.nowUs() }, page)
    }
    if (user === "") this.objects(asked, show)
    else this.changedBy(asked, show)
  }

  private objects({ cluster, hours, namespace, what }: Asked, done: (found: ReadonlyArray<ObjectKey>) => void): void {
    const { contains, ...wanted } = wantedOf(what)
    const query: ObjectQuery = {
      ...wanted,
      ...(cluster === "" ? {} : { cluster }),
      ...(namespace === "" ? {} : { namespace }),
      fromUs: this.nowUs() - hours * HOUR_US,
      limit: contains === "" ? RESULTS_MAX + 1 : LOOKED_AT_MAX
    }
    this.store.objects(query, (objects) =>
      done(objects.filter(({ name }) => name.includes(contains)).slice(0, RESULTS_MAX + 1))
    )
  }

  private changedBy(asked: Asked, done: (found: ReadonlyArray<ObjectKey>) => void): void {
    const { cluster, hours, namespace, user, what } = asked
    const { contains, group, resource } = wantedOf(what)
    const attributes = {
      [Attribute.username]: user,
      ...(cluster === "" ? {} : { [Attribute.cluster]: cluster }),
      ...(namespace === "" ? {} : { [Attribute.namespace]: namespace }),
      ...(resource === undefined ? {} : { [Attribute.resource]: resource }),
      ...(group === undefined || group === "" ? {} : { [Attribute.group]: group })
    }
    const range = { fromUs: this.nowUs() - hours * HOUR_US, limit: 1000 }
    this.store.search({ service: "audit", attributes, ...range }, (found) => {
      const objects = new Map(found.map(({ object }) => [objectText(object), object]))
      done([...objects.values()].filter(({ name }) => name.includes(contains)))
    })
  }

  private object(exchange: HttpExchange, asked: Asked, query: URLSearchParams): void {
    const object = objectParameter(query, this.store)
    const name = query.get("mode") ?? PAGE_MODE
    const mode = this.views.modes.ofName(name) ?? this.views.modes.default
    this.open(exchange, asked, mode, object)
  }

  private open(exchange: HttpExchange, asked: Asked, mode: DisplayMode, object: ObjectKey): void {
    const nowUs = this.nowUs()
    this.views.open(mode, object, nowUs - asked.hours * HOUR_US, nowUs + 1, (view) =>
      view === undefined ? this.unknown(exchange, asked) : this.show(exchange, asked, view)
    )
  }

  private trace(exchange: HttpExchange, asked: Asked, id: string): void {
    if (parseViewId(id) === undefined) {
      const object = this.store.trace(id, 1).next()?.[0]?.object
      if (object === undefined) return this.unknown(exchange, asked)
      const mode = this.views.modes.ofName(PAGE_MODE) ?? this.views.modes.default
      return this.open(exchange, asked, mode, object)
    }
    this.views.ofId(id, (answer) => {
      if (answer.kind === "found") this.show(exchange, asked, answer.view)
      else this.unknown(exchange, asked)
    })
  }

  private show(exchange: HttpExchange, asked: Asked, view: TraceView): void {
    const found = why(this.store, view.object, this.nowUs())
    const { cluster, name, namespace } = view.object
    const about = { ...asked, what: name, cluster, namespace }
    const page = tracePage({ view, modes: this.views.modes.all, why: found, hours: asked.hours })
    this.answer(exchange, 200, `${view.object.resource} ${name}`, about, page)
  }

  private unknown(exchange: HttpExchange, asked: Asked): void {
    this.answer(
      exchange,
      404,
      "Not found",
      asked,
      markup`<h1>Not found</h1><p>Nothing is known of it in that time.</p>`
    )
  }
}

/** "pod/web-0", "deployments.apps/shop/web", or a part of a name. */
const wantedOf = (
  what: string
): { readonly contains: string } & Partial<Pick<ObjectKey, "group" | "resource" | "namespace" | "name">> => {
  const parts = what.split("/").filter((part) => part !== "")
  if (parts.length < 2) return { contains: what.replaceAll("/", "") }
  const { group, resource } = resourceOf(parts[0])
  const kind = resource.includes(".") || group !== "" ? { group, resource } : { resource }
  return parts.length === 2
    ? { ...kind, name: parts[1], contains: "" }
    : { ...kind, namespace: parts[1], name: parts.slice(2).join("/"), contains: "" }
}
