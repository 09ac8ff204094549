// What apimachinery 0.37.2 and apiserver 0.37.2 answered to random questions: the programs' own answers, recorded once.
import { readFileSync } from "node:fs"

export interface Golden {
  readonly Quantity: ReadonlyArray<{
    readonly a: string
    readonly b: string
    readonly want: {
      readonly err?: string
      readonly raw: string
      readonly canon: string
      readonly format: string
      readonly value: string
      readonly milli: string
      readonly cmp?: number
      readonly add?: string
      readonly sub?: string
    }
  }>
  readonly LabelSelector: ReadonlyArray<{
    readonly text: string
    readonly labels: Record<string, string>
    readonly want: { readonly err?: string; readonly s: string; readonly m: boolean }
  }>
  readonly FieldSelector: ReadonlyArray<{
    readonly text: string
    readonly want: { readonly err?: string; readonly s: string }
  }>
  /** Only the rules that the text breaks. */
  readonly Names: ReadonlyArray<{ readonly text: string; readonly want: Record<string, ReadonlyArray<string>> }>
  readonly RequestInfo: ReadonlyArray<{
    readonly method: string
    readonly target: string
    readonly want: { readonly err?: string } & Record<string, unknown>
  }>
}

export const golden = JSON.parse(readFileSync(new URL("gen/Golden.json", import.meta.url), "utf8")) as Golden
