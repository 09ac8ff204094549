// The functions that Kubernetes adds to CEL: lists, regular expressions, quantities, URLs, IP addresses and CIDRs.
// Owns what the maintained CEL library lacks; refuses the language itself. Signatures as in k8s.io/apiserver, pkg/cel/library.
import { Environment } from "@marcbachmann/cel-js"
import { BlockList, isIP, isIPv4 } from "node:net"
import { parseQuantity, type Quantity, QuantityInvalid } from "#kube"

/** A value that CEL compares and orders. */
type Ordered = bigint | number | string | boolean

class CelQuantity {
  readonly quantity: Quantity

  constructor(quantity: Quantity) {
    this.quantity = quantity
  }
}

class CelUrl {
  readonly url: URL

  constructor(text: string) {
    this.url = new URL(text)
  }
}

class CelIp {
  readonly text: string

  constructor(text: string) {
    if (isIP(text) === 0 || text.includes("%"))
      throw new Error(`IP Address "${text}" parse error during conversion from string`)
    this.text = text
  }
}

class CelCidr {
  readonly ip: string
  readonly prefix: number
  private readonly block = new BlockList()

  constructor(text: string) {
    const [ip, bits] = text.split("/")
    const family = isIP(ip)
    const prefix = /^\d{1,3}$/.test(bits ?? "") ? Number(bits) : -1
    if (family === 0 || prefix < 0 || prefix > (family === 4 ? 32 : 128)) {
      throw new Error(`network address parse error during conversion from string: "${text}"`)
    }
    this.ip = ip
    this.prefix = prefix
    this.block.addSubnet(ip, prefix, familyOf(ip))
  }

  containsIp(ip: string): boolean {
    return isIPv4(ip) === isIPv4(this.ip) && this.block.check(ip, familyOf(ip))
  }

  containsCidr(other: CelCidr): boolean {
    return other.prefix >= this.prefix && this.containsIp(other.ip)
  }
}

const familyOf = (ip: string): "ipv4" | "ipv6" => (isIPv4(ip) ? "ipv4" : "ipv6")

const orNot = (make: () => unknown): boolean => {
  try {
    make()
    return true
  } catch {
    return false
  }
}

const addLists = (env: Environment): Environment =>
  env
    .registerFunction("list.isSorted(): bool", (list: ReadonlyArray<Ordered>) =>
      list.every((item, at) => at === 0 || list[at - 1] <= item)
    )
    .registerFunction("list.sum(): dyn", (list: ReadonlyArray<bigint | number>) => {
      let total: bigint | number = typeof list[0] === "number" ? 0 : 0n
      for (const item of list) total = typeof total === "bigint" ? total + BigInt(item) : total + Number(item)
      return total
    })
    .registerFunction("list.min(): dyn", (list: ReadonlyArray<Ordered>) => extreme(list, (a, b) => a < b, "min"))
    .registerFunction("list.max(): dyn", (list: ReadonlyArray<Ordered>) => extreme(list, (a, b) => a > b, "max"))
    .registerFunction("list.indexOf(dyn): int", (list: ReadonlyArray<unknown>, item: unknown) =>
      BigInt(list.indexOf(item))
    )
    .registerFunction("list.lastIndexOf(dyn): int", (list: ReadonlyArray<unknown>, item: unknown) =>
      BigInt(list.lastIndexOf(item))
    )

const extreme = (list: ReadonlyArray<Ordered>, better: (a: Ordered, b: Ordered) => boolean, name: string): Ordered => {
  if (list.length === 0) throw new Error(`${name} called on empty list`)
  return list.reduce((best, item) => (better(item, best) ? item : best))
}

const addTexts = (env: Environment): Environment =>
  env
    .registerFunction(
      "string.find(string): string",
      (text: string, pattern: string) => new RegExp(pattern, "u").exec(text)?.[0] ?? ""
    )
    .registerFunction(
      "string.findAll(string): list<string>",
      (text: string, pattern: string) => text.match(new RegExp(pattern, "gu")) ?? []
    )
    .registerFunction("string.findAll(string, int): list<string>", (text: string, pattern: string, most: bigint) => {
      const found = text.match(new RegExp(pattern, "gu")) ?? []
      return most < 0n ? found : found.slice(0, Number(most))
    })

const quantityOfText = (text: string): Quantity => {
  const quantity = parseQuantity(text)
  if (quantity instanceof QuantityInvalid) throw new Error(quantity.message)
  return quantity
}

const addQuantities = (env: Environment): Environment => {
  const order = (a: CelQuantity, b: CelQuantity): number => a.quantity.compare(b.quantity)
  const whole = (number: bigint): Quantity => quantityOfText(String(number))
  return env
    .registerType("kubernetes.Quantity", CelQuantity)
    .registerFunction("quantity(string): kubernetes.Quantity", (text: string) => new CelQuantity(quantityOfText(text)))
    .registerFunction("isQuantity(string): bool", (text: string) => orNot(() => quantityOfText(text)))
    .registerFunction("kubernetes.Quantity.sign(): int", (a: CelQuantity) => BigInt(a.quantity.sign))
    .registerFunction(
      "kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool",
      (a: CelQuantity, b: CelQuantity) => order(a, b) > 0
    )
    .registerFunction(
      "kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool",
      (a: CelQuantity, b: CelQuantity) => order(a, b) < 0
    )
    .registerFunction("kubernetes.Quantity.compareTo(kubernetes.Quantity): int", (a: CelQuantity, b: CelQuantity) =>
      BigInt(order(a, b))
    )
    .registerFunction(
      "kubernetes.Quantity.add(kubernetes.Quantity): kubernetes.Quantity",
      (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.quantity.add(b.quantity))
    )
    .registerFunction(
      "kubernetes.Quantity.add(int): kubernetes.Quantity",
      (a: CelQuantity, b: bigint) => new CelQuantity(a.quantity.add(whole(b)))
    )
    .registerFunction(
      "kubernetes.Quantity.sub(kubernetes.Quantity): kubernetes.Quantity",
      (a: CelQuantity, b: CelQuantity) => new CelQuantity(a.quantity.sub(b.quantity))
    )
    .registerFunction(
      "kubernetes.Quantity.sub(int): kubernetes.Quantity",
      (a: CelQuantity, b: bigint) => new CelQuantity(a.quantity.sub(whole(b)))
    )
}

const addUrls = (env: Environment): Environment =>
  env
    .registerType("kubernetes.URL", CelUrl)
    .registerFunction("url(string): kubernetes.URL", (text: string) => new CelUrl(text))
    .registerFunction("isURL(string): bool", (text: string) => URL.canParse(text))
    .registerFunction("kubernetes.URL.getScheme(): string", ({ url }: CelUrl) => url.protocol.slice(0, -1))
    .registerFunction("kubernetes.URL.getHost(): string", ({ url }: CelUrl) => url.host)
    .registerFunction("kubernetes.URL.getHostname(): string", ({ url }: CelUrl) => url.hostname)
    .registerFunction("kubernetes.URL.getPort(): string", ({ url }: CelUrl) => url.port)
    .registerFunction("kubernetes.URL.getEscapedPath(): string", ({ url }: CelUrl) => url.pathname)

const addAddresses = (env: Environment): Environment =>
  env
    .registerType("net.IP", CelIp)
    .registerType("net.CIDR", CelCidr)
    .registerFunction("ip(string): net.IP", (text: string) => new CelIp(text))
    .registerFunction("isIP(string): bool", (text: string) => orNot(() => new CelIp(text)))
    .registerFunction("net.IP.family(): int", ({ text }: CelIp) => (isIPv4(text) ? 4n : 6n))
    .registerFunction("net.IP.isLoopback(): bool", ({ text }: CelIp) =>
      isIPv4(text) ? text.startsWith("127.") : text === "::1"
    )
    .registerFunction("net.IP.isUnspecified(): bool", ({ text }: CelIp) => text === "0.0.0.0" || text === "::")
    .registerFunction("cidr(string): net.CIDR", (text: string) => new CelCidr(text))
    .registerFunction("isCIDR(string): bool", (text: string) => orNot(() => new CelCidr(text)))
    .registerFunction("net.CIDR.containsIP(string): bool", (block: CelCidr, ip: string) => block.containsIp(ip))
    .registerFunction("net.CIDR.containsIP(net.IP): bool", (block: CelCidr, { text }: CelIp) => block.containsIp(text))
    .registerFunction("net.CIDR.containsCIDR(string): bool", (block: CelCidr, other: string) =>
      block.containsCidr(new CelCidr(other))
    )
    .registerFunction("net.CIDR.containsCIDR(net.CIDR): bool", (block: CelCidr, other: CelCidr) =>
      block.containsCidr(other)
    )
    .registerFunction("net.CIDR.ip(): net.IP", (block: CelCidr) => new CelIp(block.ip))
    .registerFunction("net.CIDR.prefixLength(): int", (block: CelCidr) => BigInt(block.prefix))

/** CEL with Kubernetes' functions; the bounds keep a rule's text from growing without end. */
export const kubernetesCel = (): Environment =>
  [addLists, addTexts, addQuantities, addUrls, addAddresses].reduce(
    (env, add) => add(env),
    new Environment({
      enableOptionalTypes: true,
      homogeneousAggregateLiterals: false,
      limits: { maxAstNodes: 10_000, maxDepth: 100 }
    })
  )
