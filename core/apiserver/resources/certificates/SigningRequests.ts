// Certificate signing requests: asked for by whoever, approved by one, signed by another, each through its own subresource.
// Owns their rules and columns; who may approve and sign is admission's, signing is a controller's.
// Source: kubernetes pkg/apis/certificates/validation and pkg/registry/certificates.
import { type ApiFailure, type KubeObject, rfc3339, sameJson } from "#kube"
import type { Definition, Draft, StrategyContext } from "../../Definition.ts"
import { csrProblem } from "../../admission/CsrSubject.ts"
import { ageColumn, column, durationText, nameColumn } from "../Columns.ts"
import { define, partStrategy } from "../Define.ts"
import { type Fields, fieldsOf, itemsOf, numberIn, textOf, textsOf, withoutField } from "../Fields.ts"
import { pathSegmentName } from "../Meta.ts"
import { duplicate, forbidden, invalid, notSupported, type Problems, required } from "../Problems.ts"
import { certificateProblem, checkSignerName } from "./PemRules.ts"

const USAGES = [
  "any",
  "cert sign",
  "client auth",
  "code signing",
  "content commitment",
  "crl sign",
  "data encipherment",
  "decipher only",
  "digital signature",
  "email protection",
  "encipher only",
  "ipsec end system",
  "ipsec tunnel",
  "ipsec user",
  "key agreement",
  "key encipherment",
  "microsoft sgc",
  "netscape sgc",
  "ocsp signing",
  "s/mime",
  "server auth",
  "signing",
  "timestamping"
]
const DECISIONS = ["Approved", "Denied"]
const LASTING = [...DECISIONS, "Failed"]
const STATUSES = ["False", "True", "Unknown"]
const LEGACY = "kubernetes.io/legacy-unknown"

const conditionsOf = ({ status }: { readonly status?: unknown }): ReadonlyArray<Fields> =>
  itemsOf(fieldsOf(status)["conditions"])

const ofType = (object: { readonly status?: unknown }, type: string): ReadonlyArray<Fields> =>
  conditionsOf(object).filter((one) => one["type"] === type)

const checkUsages = (usages: ReadonlyArray<string>, problems: Problems): void => {
  if (usages.length === 0) problems.push(required("spec.usages"))
  usages.forEach((usage, at) => {
    if (!USAGES.includes(usage)) problems.push(notSupported(`spec.usages[${at}]`, usage, USAGES))
  })
  usages.forEach((usage, at) => {
    if (usages.indexOf(usage) < at) problems.push(duplicate(`spec.usages[${at}]`, usage))
  })
}

const checkConditions = (conditions: ReadonlyArray<Fields>, problems: Problems): void => {
  const path = "status.conditions"
  const seen = new Set<string>()
  conditions.forEach((one, at) => {
    const type = textOf(one["type"])
    const status = textOf(one["status"])
    if (type === "") problems.push(required(`${path}[${at}].type`))
    const allowed = LASTING.includes(type) ? ["True"] : STATUSES
    if (status === "") problems.push(required(`${path}[${at}].status`))
    else if (!allowed.includes(status)) problems.push(notSupported(`${path}[${at}].status`, status, allowed))
    const other = DECISIONS.find((decision) => decision !== type)
    if (DECISIONS.includes(type) && other !== undefined && seen.has(other)) {
      problems.push(invalid(path, type, "Approved and Denied conditions are mutually exclusive"))
    }
    if (seen.has(type)) problems.push(duplicate(`${path}[${at}].type`, type))
    seen.add(type)
  })
}

const check = (object: KubeObject, problems: Problems): void => {
  const spec = fieldsOf(object.spec)
  const request = textOf(spec["request"])
  const broken = csrProblem(Buffer.from(request, "base64").toString("latin1"))
  if (broken !== undefined) {
    problems.push(invalid("spec.request", spec["request"], broken))
  }
  checkUsages(textsOf(spec["usages"]), problems)
  const signer = textOf(spec["signerName"])
  if (signer === LEGACY) {
    problems.push(invalid("spec.signerName", signer, "the legacy signerName is not allowed via this API version"))
  } else checkSignerName(signer, "spec.signerName", problems)
  const seconds = numberIn(spec["expirationSeconds"])
  if (seconds !== undefined && seconds < 600) {
    const why = "may not specify a duration less than 600 seconds (10 minutes)"
    problems.push(invalid("spec.expirationSeconds", seconds, why))
  }
  checkConditions(conditionsOf(object), problems)
  const why = certificateProblem(textOf(fieldsOf(object.status)["certificate"]))
  if (why !== undefined) problems.push(invalid("status.certificate", "<certificate data>", why))
}

/** What of a status an update may change. */
interface Allowed {
  readonly decisions?: boolean
  readonly certificate?: boolean
}

const checkChange =
  ({ certificate = false, decisions = false }: Allowed) =>
  (object: KubeObject, old: KubeObject, problems: Problems): void => {
    const path = "status.conditions"
    for (const type of LASTING) {
      if (ofType(object, type).length < ofType(old, type).length) {
        problems.push(forbidden(path, `updates may not remove a condition of type ${JSON.stringify(type)}`))
      }
    }
    for (const type of decisions ? [] : DECISIONS) {
      const [now, before] = [ofType(object, type), ofType(old, type)]
      if (now.length > before.length) {
        problems.push(forbidden(path, `updates may not add a condition of type ${JSON.stringify(type)}`))
      } else if (now.length === before.length && !sameJson([...now], [...before])) {
        problems.push(forbidden(path, `updates may not modify a condition of type ${JSON.stringify(type)}\n`))
      }
    }
    const [now, before] = [object, old].map(({ status }) => textOf(fieldsOf(status)["certificate"]))
    if (now === before) return
    if (!certificate) problems.push(forbidden("status.certificate", "updates may not set certificate content"))
    else if (before !== "") {
      problems.push(forbidden("status.certificate", "updates may not modify existing certificate content"))
    }
  }

/** Fills in when conditions were written and when they changed. */
const stamped = (draft: Draft, old: KubeObject, { clockwork }: StrategyContext): ReadonlyArray<Fields> => {
  const now = rfc3339(clockwork.now())
  return conditionsOf(draft).map((one) => {
    const before = conditionsOf(old).find(
      ({ lastTransitionTime, status, type }) =>
        type === one["type"] && status === one["status"] && typeof lastTransitionTime === "string"
    )
    return {
      ...one,
      lastUpdateTime: one["lastUpdateTime"] ?? now,
      lastTransitionTime: one["lastTransitionTime"] ?? before?.["lastTransitionTime"] ?? now
    }
  })
}

const keepSpec = (draft: Draft, old: KubeObject): void => {
  draft.spec = old.spec as NonNullable<Draft["spec"]>
}

const prepareForCreate = (draft: Draft, { user }: StrategyContext): ApiFailure | undefined => {
  const asked = ["username", "uid", "groups", "extra"].reduce<Fields>(withoutField, fieldsOf(draft.spec))
  draft.spec = {
    ...asked,
    username: user.name,
    ...((user.uid ?? "") === "" ? {} : { uid: user.uid }),
    ...(user.groups.length === 0 ? {} : { groups: [...user.groups] }),
    ...(Object.keys(user.extra ?? {}).length === 0 ? {} : { extra: user.extra })
  }
  return undefined
}

/** Who signs takes the decisions as they stand. */
const prepareStatus = (draft: Draft, old: KubeObject, context: StrategyContext): ApiFailure | undefined => {
  keepSpec(draft, old)
  const left = new Map(DECISIONS.map((type) => [type, [...ofType(old, type)]]))
  const same = (type: string): boolean => ofType(draft, type).length === ofType(old, type).length
  const kept = conditionsOf(draft).map((one) => {
    const type = textOf(one["type"])
    return DECISIONS.includes(type) && same(type) ? (left.get(type)?.shift() ?? one) : one
  })
  if (kept.length === 0) return undefined
  draft.status = { ...draft.status, conditions: kept }
  draft.status = { ...draft.status, conditions: stamped(draft, old, context) }
  return undefined
}

const prepareApproval = (draft: Draft, old: KubeObject, context: StrategyContext): ApiFailure | undefined => {
  keepSpec(draft, old)
  const conditions = stamped(draft, old, context)
  draft.status = { ...fieldsOf(old.status), ...(conditions.length === 0 ? {} : { conditions }) }
  return undefined
}

const statusText = (object: KubeObject): string => {
  const has = (type: string): boolean => ofType(object, type).length > 0
  const decision = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending"
  const issued = textOf(fieldsOf(object.status)["certificate"]) !== ""
  return `${decision}${has("Failed") ? ",Failed" : ""}${issued ? ",Issued" : ""}`
}

/** The definition of signing requests. */
export const signingRequests = (): Definition =>
  define("certificates.k8s.io", "v1", "CertificateSigningRequest", {
    name: pathSegmentName,
    prepareForCreate,
    prepareForUpdate: (draft, old) => {
      keepSpec(draft, old)
      return undefined
    },
    initialStatus: () => ({}),
    check,
    checkUpdate: checkChange({}),
    status: { prepare: prepareStatus, check: checkChange({ certificate: true }) },
    subresources: {
      approval: {
        type: "part",
        verbs: ["get", "patch", "update"],
        strategy: partStrategy(prepareApproval, (object, old, problems) => {
          check(object, problems)
          checkChange({ decisions: true })(object, old, problems)
        })
      }
    },
    columns: [
      nameColumn,
      ageColumn,
      column("SignerName", ({ spec }) => textOf(fieldsOf(spec)["signerName"]) || "<none>"),
      column("Requestor", ({ spec }) => textOf(fieldsOf(spec)["username"])),
      column("RequestedDuration", ({ spec }) => {
        const seconds = numberIn(fieldsOf(spec)["expirationSeconds"])
        return seconds === undefined ? "<none>" : durationText(seconds * 1000)
      }),
      column("Condition", statusText)
    ],
    selectableFields: { "spec.signerName": ({ spec }) => textOf(fieldsOf(spec)["signerName"]) }
  })
