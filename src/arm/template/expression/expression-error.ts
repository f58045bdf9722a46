// The one failure of the expression language. It carries only what is wrong; the template that
// holds the expression adds which resource, line and column it stands in. `code` is set where
// Azure uses another code than InvalidTemplate.

export class ExpressionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ExpressionError";
  }
}

/** The limits of work or memory are reached: nobody may catch this and go on. */
export class EvaluationLimitError extends ExpressionError {
  constructor(message: string) {
    super(message);
    this.name = "EvaluationLimitError";
  }
}

const help = "https://aka.ms/arm-functions";

export function seeFunction(name: string): string {
  return `Please see ${help}#${name.toLowerCase()} for usage details.`;
}
