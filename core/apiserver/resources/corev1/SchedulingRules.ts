// The rules of where a pod may run: affinity, tolerations, spreading over topologies.
// Owns these checks; refuses to schedule. Source: kubernetes pkg/apis/core/validation.
import { Names } from "#kube"
import { type Fields, fieldsIn, itemsOf, numberOf, textOf, textsOf } from "../Fields.ts"
import { forbidden, invalid, invalidEach, notSupported, optionalOneOf, type Problems, required } from "../Problems.ts"
import { checkSelector } from "../Selectors.ts"

const OPERATOR = "not a valid selector operator"

const checkNodeRequirement = (one: Fields, strict: boolean, path: string, problems: Problems): void => {
  const operator = textOf(one["operator"])
  const values = textsOf(one["values"])
  if (operator === "In" || operator === "NotIn") {
    if (values.length === 0) {
      problems.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    }
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    if (values.length > 0) {
      problems.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    }
  } else if (operator === "Gt" || operator === "Lt") {
    if (values.length !== 1) {
      problems.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    }
  } else problems.push(invalid(`${path}.operator`, operator, OPERATOR))
  const key = textOf(one["key"])
  invalidEach(`${path}.key`, key, Names.qualifiedName(key), problems)
  if (!strict) return
  values.forEach((value, at) => invalidEach(`${path}.values[${at}]`, value, Names.labelValue(value), problems))
}

const checkNodeField = (one: Fields, path: string, problems: Problems): void => {
  const operator = textOf(one["operator"])
  const values = textsOf(one["values"])
  if (operator !== "In" && operator !== "NotIn") problems.push(invalid(`${path}.operator`, operator, OPERATOR))
  else if (values.length !== 1) {
    const why = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
    problems.push(required(`${path}.values`, why))
  }
  const key = textOf(one["key"])
  if (key !== "metadata.name") problems.push(invalid(`${path}.key`, key, "not a valid field selector key"))
  else values.forEach((value, at) => invalidEach(`${path}.values[${at}]`, value, Names.dnsSubdomain(value), problems))
}

const checkNodeTerm = (term: Fields, strict: boolean, path: string, problems: Problems): void => {
  itemsOf(term["matchExpressions"]).forEach((one, at) =>
    checkNodeRequirement(one, strict, `${path}.matchExpressions[${at}]`, problems)
  )
  itemsOf(term["matchFields"]).forEach((one, at) => checkNodeField(one, `${path}.matchFields[${at}]`, problems))
}

/** Checks the terms of a node selector; label values only when `strict`. */
export const checkNodeSelector = (selector: Fields, strict: boolean, path: string, problems: Problems): void => {
  const terms = itemsOf(selector["nodeSelectorTerms"])
  if (terms.length === 0) {
    problems.push(required(`${path}.nodeSelectorTerms`, "must have at least one node selector term"))
  }
  terms.forEach((term, at) => checkNodeTerm(term, strict, `${path}.nodeSelectorTerms[${at}]`, problems))
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"

const checkWeight = (term: Fields, path: string, problems: Problems): void => {
  const weight = numberOf(term["weight"])
  if (weight <= 0 || weight > 100) problems.push(invalid(`${path}.weight`, weight, "must be in the range 1-100"))
}

const checkNodeAffinity = (affinity: Fields, path: string, problems: Problems): void => {
  const selector = fieldsIn(affinity[REQUIRED])
  if (selector !== undefined) checkNodeSelector(selector, true, `${path}.${REQUIRED}`, problems)
  itemsOf(affinity[PREFERRED]).forEach((term, at) => {
    const place = `${path}.${PREFERRED}[${at}]`
    checkWeight(term, place, problems)
    checkNodeTerm(fieldsIn(term["preference"]) ?? {}, false, `${place}.preference`, problems)
  })
}

const checkLabelKeys = (term: Fields, path: string, problems: Problems): void => {
  for (const field of ["matchLabelKeys", "mismatchLabelKeys"]) {
    textsOf(term[field]).forEach((key, at) => {
      if (fieldsIn(term["labelSelector"]) === undefined && at === 0) {
        problems.push(forbidden(`${path}.${field}`, "must not be specified when labelSelector is not set"))
      }
      invalidEach(`${path}.${field}[${at}]`, key, Names.qualifiedName(key), problems)
    })
  }
}

const checkPodTerm = (term: Fields, path: string, problems: Problems): void => {
  checkSelector(term["labelSelector"], `${path}.labelSelector`, problems)
  checkSelector(term["namespaceSelector"], `${path}.namespaceSelector`, problems)
  for (const name of textsOf(term["namespaces"])) {
    invalidEach(`${path}.namespace`, name, Names.dnsLabel(name), problems)
  }
  checkLabelKeys(term, path, problems)
  const key = textOf(term["topologyKey"])
  if (key === "") problems.push(required(`${path}.topologyKey`, "can not be empty"))
  invalidEach(`${path}.topologyKey`, key, Names.qualifiedName(key), problems)
}

const checkPodAffinity = (affinity: Fields, path: string, problems: Problems): void => {
  itemsOf(affinity[REQUIRED]).forEach((term, at) => checkPodTerm(term, `${path}.${REQUIRED}[${at}]`, problems))
  itemsOf(affinity[PREFERRED]).forEach((term, at) => {
    const place = `${path}.${PREFERRED}[${at}]`
    checkWeight(term, place, problems)
    checkPodTerm(fieldsIn(term["podAffinityTerm"]) ?? {}, `${place}.podAffinityTerm`, problems)
  })
}

/** Checks a pod's affinity. */
export const checkAffinity = (affinity: Fields, path: string, problems: Problems): void => {
  const node = fieldsIn(affinity["nodeAffinity"])
  if (node !== undefined) checkNodeAffinity(node, `${path}.nodeAffinity`, problems)
  for (const name of ["podAffinity", "podAntiAffinity"]) {
    const pods = fieldsIn(affinity[name])
    if (pods !== undefined) checkPodAffinity(pods, `${path}.${name}`, problems)
  }
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"]

const checkTolerated = (toleration: Fields, path: string, problems: Problems): void => {
  const operator = textOf(toleration["operator"])
  const value = textOf(toleration["value"])
  if (operator === "Exists") {
    if (value !== "")
      problems.push(invalid(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'"))
  } else if (operator === "Equal" || operator === "") {
    const messages = Names.labelValue(value)
    if (messages.length > 0) problems.push(invalid(`${path}.operator`, value, messages.join(";")))
  } else if (operator === "Lt" || operator === "Gt") {
    problems.push(notSupported(`${path}.operator`, operator, ["Equal", "Exists", "Lt", "Gt"]))
  } else problems.push(notSupported(`${path}.operator`, operator, ["Equal", "Exists"]))
}

/** Checks tolerations of taints. */
export const checkTolerations = (tolerations: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  tolerations.forEach((toleration, at) => {
    const place = `${path}[${at}]`
    const key = textOf(toleration["key"])
    const effect = textOf(toleration["effect"])
    if (key !== "") invalidEach(`${place}.key`, key, Names.qualifiedName(key), problems)
    else if (toleration["operator"] !== "Exists") {
      const why = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
      problems.push(invalid(`${place}.operator`, textOf(toleration["operator"]), why))
    }
    if (toleration["tolerationSeconds"] !== undefined && effect !== "NoExecute") {
      problems.push(invalid(`${place}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    }
    checkTolerated(toleration, place, problems)
    if (effect !== "" && !EFFECTS.includes(effect)) problems.push(notSupported(`${place}.effect`, effect, EFFECTS))
  })
}

/** Checks the taints of a node. */
export const checkTaints = (taints: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  const seen = new Set<string>()
  taints.forEach((taint, at) => {
    const place = `${path}[${at}]`
    const key = textOf(taint["key"])
    const effect = textOf(taint["effect"])
    invalidEach(`${place}.key`, key, Names.qualifiedName(key), problems)
    const messages = Names.labelValue(textOf(taint["value"]))
    if (messages.length > 0) problems.push(invalid(`${place}.value`, textOf(taint["value"]), messages.join(";")))
    if (effect === "") problems.push(required(`${place}.effect`))
    else if (!EFFECTS.includes(effect)) problems.push(notSupported(`${place}.effect`, effect, EFFECTS))
    const pair = `${key}:${effect}`
    if (seen.has(pair)) {
      problems.push({
        type: "FieldValueDuplicate",
        field: place,
        value: { ...taint },
        detail: "taints must be unique by key and effect pair"
      })
    }
    seen.add(pair)
  })
}

/** Checks how a pod is spread over topologies. */
export const checkSpread = (constraints: ReadonlyArray<Fields>, path: string, problems: Problems): void => {
  constraints.forEach((one, at) => {
    const place = `${path}[${at}]`
    const skew = numberOf(one["maxSkew"])
    const key = textOf(one["topologyKey"])
    const action = textOf(one["whenUnsatisfiable"])
    if (skew <= 0) problems.push(invalid(`${place}.maxSkew`, skew, "must be greater than zero"))
    if (key === "") problems.push(required(`${place}.topologyKey`, "can not be empty"))
    const actions = ["DoNotSchedule", "ScheduleAnyway"]
    if (!actions.includes(action)) problems.push(notSupported(`${place}.whenUnsatisfiable`, action, actions))
    const twin = constraints
      .slice(at + 1)
      .some((other) => other["topologyKey"] === key && other["whenUnsatisfiable"] === action)
    if (twin) {
      const field = `${place}.{topologyKey, whenUnsatisfiable}`
      problems.push({ type: "FieldValueDuplicate", field, value: `{${key}, ${action}}`, detail: "" })
    }
    checkMinDomains(one, action, place, problems)
    optionalOneOf(`${place}.nodeAffinityPolicy`, one["nodeAffinityPolicy"], ["Honor", "Ignore"], problems)
    optionalOneOf(`${place}.nodeTaintsPolicy`, one["nodeTaintsPolicy"], ["Honor", "Ignore"], problems)
    checkLabelKeys(one, place, problems)
    checkSelector(one["labelSelector"], `${place}.labelSelector`, problems)
  })
}

const checkMinDomains = (constraint: Fields, action: string, path: string, problems: Problems): void => {
  const domains = constraint["minDomains"]
  if (typeof domains !== "number") return
  if (domains <= 0) problems.push(invalid(`${path}.minDomains`, domains, "must be greater than zero"))
  if (action !== "DoNotSchedule") {
    const why = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`
    problems.push(invalid(`${path}.minDomains`, domains, why))
  }
}
