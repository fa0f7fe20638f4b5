// @ts-check
// The choice among what people have taught the service, where there is something.
import * as api from "../api.js";
import { field, h, replace, select } from "../dom.js";
import { t } from "../i18n.js";

/** A node that fills itself once the service has told which heads it has. */
export function headField(value, onchange) {
  const place = h("div");
  const draw = async () => {
    const { heads } = await api.json("v1/heads");
    const able = heads.filter(({ problem }) => !problem).map(({ name }) => [name, name]);
    if (able.length === 0 && !value) return;
    if (value && !able.some(([name]) => name === value)) able.push([value, value]);
    replace(place, field(t("heads.which"), select([["", t("heads.none")], ...able], value, onchange)));
  };
  // Without the list the model's own head serves, and asking it tells what is wrong.
  draw().catch((error) => {
    if (!(error instanceof api.ApiError)) throw error;
  });
  return place;
}
