/** The driven parts of the rides, as lines that only grow. */
import { colourOf, onColoursChanged } from "../map.js";

export class Tracks {
  constructor(map, town) {
    this.map = map;
    this.town = town;
    map.createPane("tracks").style.zIndex = 390;
    map.getPane("tracks").style.pointerEvents = "none";
    this.renderer = L.canvas({ pane: "tracks" });
    /** @type {Map<string, L.Polyline>} */
    this.lines = new Map();
    onColoursChanged(() => this.lines.forEach((line) => line.setStyle({ color: colourOf("--driver") })));
  }

  /** Show the tracks of the rides that are shown, as they are now. */
  update() {
    for (const [id, line] of this.lines) {
      const ride = this.town.rides.get(id);
      if (!ride || !this.town.shows(ride)) {
        line.remove();
        this.lines.delete(id);
      }
    }
    for (const [id, places] of this.town.tracks) {
      if (this.town.shows(this.town.rides.get(id))) {
        this.draw(id, places);
      }
    }
  }

  draw(id, places) {
    const line = this.lines.get(id);
    if (!line) {
      const style = { color: colourOf("--driver"), weight: 3, opacity: 0.6, interactive: false };
      this.lines.set(id, L.polyline(places, { ...style, renderer: this.renderer, pane: "tracks" }).addTo(this.map));
    } else if (line.getLatLngs().length !== places.length) {
      line.setLatLngs(places);
    }
  }
}
