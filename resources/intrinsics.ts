/** What CloudFormation puts in for us, once it knows it. */
export const ref = (id: string) => ({ Ref: id });
export const getAtt = (id: string, attribute: string) => ({ 'Fn::GetAtt': [id, attribute] });
/** A text with `${Id}` and `${Id.Attribute}` in it. */
export const sub = (text: string) => ({ 'Fn::Sub': text });
