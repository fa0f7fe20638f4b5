/* Tiles of AMX: eight registers of 16 rows of 64 bytes. */

enum { TILE_ROWS = 16, TILE_WIDTH = 64, TILE_BYTES = TILE_ROWS * TILE_WIDTH };

typedef struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* Tiles 0 to 3 are sums, 4 and 5 what is on the left of a product: all of `rows` rows; 6 and 7 what
 * is on its right. _tile_release() undoes it: a thread that sleeps has no tiles to be saved. */
static void use_tiles(int rows) {
    tile_shapes shapes = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        shapes.row_bytes[i] = TILE_WIDTH;
        shapes.rows[i] = (uint8_t)(i < 6 ? rows : TILE_ROWS);
    }
    _tile_loadconfig(&shapes);
}

/* What was written before is there for tiles to load, which a compiler knows nothing of. */
#define WRITTEN() __asm__ volatile("" ::: "memory")

/* How rows are dealt to tiles: evenly. The last may begin within the one before it, and then the
 * same is computed twice. */
typedef struct {
    int count, rows, all; /* of tiles, of each tile's rows, of all rows */
} tile_deal;

static inline tile_deal deal(int all) {
    int count = (all + TILE_ROWS - 1) / TILE_ROWS;
    return (tile_deal){count, (all + count - 1) / count, all};
}

/* First row of a tile. */
static inline int dealt(tile_deal d, int tile) {
    int row = tile * d.rows, last = d.all - d.rows;
    return row < last ? row : last;
}
