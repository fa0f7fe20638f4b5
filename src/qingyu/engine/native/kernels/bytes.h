/* Rows of floats made bytes: what INT8 products read. Included once an instruction set. */

#define FLOOR_OF_GELU (-0.17f) /* x Phi(x) is least, -0.16997, at x = -0.7518 */

/* The larger of the sums of an unsigned group's two pairs, of which 258 is safe by itself. */
static int pairs_of(const uint8_t *group) {
    int low = group[0] + group[1], high = group[2] + group[3];
    return low > high ? low : high;
}

/* Half of each number of a group stays where it is; the rest is returned. */
static extra halve(int8_t *values, int group, int is_signed) {
    extra rest = {group, {0}};
    for (int i = 0; i < GROUP; i++) {
        int value = is_signed ? values[i] : (uint8_t)values[i], half = value >> 1;
        values[i] = (int8_t)half; /* rounded down, so that no half is beyond 128 */
        rest.values[i] = (int8_t)(value - half);
    }
    return rest;
}

/* Move an unsigned group among the extras: whole, or in halves if it is not safe by itself. */
static int move(extra *extras, int8_t *values, int group) {
    int count = 0;
    if (pairs_of((uint8_t *)values) > 258) extras[count++] = halve(values, group, 0);
    extras[count].group = group;
    memcpy(extras[count++].values, values, GROUP);
    memset(values, 0, GROUP);
    return count;
}

/* Make the groups of a row safe that are not (i_unsafe); returns how many extras that takes. Of two
 * unsigned ones that are unsafe together it is enough to move the larger, if the other is safe. */
static int narrow(int8_t *values, int groups, int is_signed, extra *extras) {
    int count = 0;
    for (int first = 0; first < groups; first += VL)
        for (unsigned found = i_unsafe(values + first * GROUP, is_signed); found;
             found &= found - 1) {
            int j = first + __builtin_ctz(found);
            int8_t *group = values + j * GROUP;
            if (is_signed) {
                extras[count++] = halve(group, j, 1);
                continue;
            }
            int mine = pairs_of((uint8_t *)group), other = pairs_of((uint8_t *)group + GROUP);
            found &= found - 1; /* the other of the two is marked, too */
            if (mine >= other || mine > 258) count += move(extras + count, group, j);
            if (other > mine || other > 258) count += move(extras + count, group + GROUP, j + 1);
        }
    return count;
}

/* Eight numbers as INT4 weights meet them: those at even places, then those at odd ones. */
static inline uint64_t even_odd(uint64_t x) {
    uint64_t moved = (x ^ x >> 8) & 0x0000ff000000ff00u;
    x ^= moved ^ moved << 8;
    moved = (x ^ x >> 16) & 0x00000000ffff0000u;
    return x ^ moved ^ moved << 16;
}

/* Quantise x[n] into row `row`, each block of 64 by itself. */
static void quantise_blocks(const float *x, int n, bytes *out, int row) {
    int8_t *to = out->values + (int64_t)row * out->stride;
    int64_t block = (int64_t)row * out->stride / BLOCK;
    for (int left = n; left > 0; left -= BLOCK, x += BLOCK, to += BLOCK, block++) {
        vf most = v_set(1e-6f);
        for (int i = 0; i < BLOCK; i += VL) most = v_max(most, v_abs(v_load_n(x + i, left - i)));
        float largest = v_largest(most);
        vf step = v_set(127.0f / largest);
        for (int i = 0; i < BLOCK; i += VL)
            v_store_bytes(to + i, v_mul(v_load_n(x + i, left - i), step), 1);
        int32_t sum = 0;
        for (int i = 0; i < BLOCK; i += 8) {
            uint64_t eight;
            memcpy(&eight, to + i, 8);
            eight = even_odd(eight) ^ (SIGNED_ZERO ? 0x8080808080808080u : 0);
            memcpy(to + i, &eight, 8);
        }
        for (int i = 0; i < BLOCK; i++) sum += to[i];
        out->block_scale[block] = largest / 127.0f;
        out->block_sum[block] = sum;
    }
}

/* Quantise x[n] into row `row`; how is told in the table of docs/bundle-format.md. */
static void quantise(const float *x, int n, const qy_product *product, bytes *out, int row) {
    int8_t *to = out->values + (int64_t)row * out->stride;
    int kind = product->input_kind, is_signed = kind != QY_FLOOR;
    if (kind == QY_BLOCK) {
        quantise_blocks(x, n, out, row);
        return;
    }
    vf add = v_set(0.0f), step = v_set(1.0f);
    out->scale[row] = 1.0f;
    if (kind == QY_ROW) {
        vf most = v_set(1e-6f);
        for (int i = 0; i < n; i += VL) most = v_max(most, v_abs(v_load_n(x + i, n - i)));
        float largest = v_largest(most);
        step = v_set(127.0f / largest);
        out->scale[row] = largest / 127.0f;
    } else if (kind == QY_FLOOR) {
        vf most = v_set(FLOOR_OF_GELU);
        for (int i = 0; i < n; i++) /* the end by itself: a vector's empty lanes are zeros */
            if (i + VL <= n) {
                most = v_max(most, v_load(x + i));
                i += VL - 1;
            } else {
                most = v_max(most, v_set(x[i]));
            }
        float largest = v_largest(most) - FLOOR_OF_GELU;
        add = v_set(-FLOOR_OF_GELU);
        step = v_set(255.0f / largest);
        out->scale[row] = largest / 255.0f;
    }
    for (int i = 0; i < n; i += VL) {
        vf a = v_add(v_load_n(x + i, n - i), add);
        if (kind == QY_FIXED) step = v_load_n(product->input_scale + i, n - i);
        v_store_bytes(to + i, v_mul(a, step), is_signed); /* room to spare: see bytes_stride */
    }
    memset(to + n, 0, (size_t)(out->stride - n));
    int32_t sum = 0;
    if (RAISED)
        for (int i = 0; i < n; i++) sum += is_signed ? to[i] : 0;
    out->sum[row] = sum;
    if (NARROW)
        out->extra_count[row] = narrow(to, out->stride / GROUP, is_signed,
                                       out->extras + (int64_t)row * extras_stride(out));
}
