internal import CCairo

/// A colour with straight alpha, components 0...1.
struct Color: Sendable {
    var red: Double
    var green: Double
    var blue: Double
    var alpha: Double = 1

    init(_ red: Double, _ green: Double, _ blue: Double, _ alpha: Double = 1) {
        self.red = red
        self.green = green
        self.blue = blue
        self.alpha = alpha
    }

    /// `0xRRGGBB`.
    init(_ hex: UInt32, _ alpha: Double = 1) {
        self.init(
            Double(hex >> 16 & 255) / 255, Double(hex >> 8 & 255) / 255, Double(hex & 255) / 255, alpha)
    }
}

struct Point: Sendable {
    var x: Double
    var y: Double

    init(_ x: Double, _ y: Double) {
        self.x = x
        self.y = y
    }
}

/// What a path is filled or stroked with; offsets of the stops run from 0 to 1.
enum Paint: Sendable {
    case solid(Color)
    case linear(from: Point, to: Point, stops: [(Double, Color)])
    /// Two circles, as Cairo has them.
    case radial(center: Point, innerRadius: Double, outerRadius: Double, stops: [(Double, Color)])
}

/// Owns a Cairo image surface (32-bit ARGB in native byte order) and the context that draws on it.
///
/// The C handles never leave this file; a drawing that fails leaves Cairo's error state, which only ends in an
/// incomplete picture.
@safe struct CairoCanvas: ~Copyable {
    let width: Int
    let height: Int
    private let surface: OpaquePointer
    private let context: OpaquePointer

    /// Nil where Cairo cannot allocate a surface of that size.
    init?(width: Int, height: Int) {
        guard (1...8192).contains(width), (1...8192).contains(height),
            let surface = unsafe cairo_image_surface_create(CAIRO_FORMAT_ARGB32, Int32(width), Int32(height)),
            unsafe cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS,
            let context = unsafe cairo_create(surface)
        else { return nil }
        self.width = width
        self.height = height
        unsafe self.surface = surface
        // Half the cost of the default, and no difference that survives the encoder.
        unsafe cairo_set_antialias(context, CAIRO_ANTIALIAS_FAST)
        unsafe self.context = context
    }

    deinit {
        unsafe cairo_destroy(context)
        unsafe cairo_surface_destroy(surface)
    }

    /// Finishes drawing and lends the pixels: `stride` bytes a row, blue first on a little-endian machine.
    borrowing func withPixels<Result>(_ body: (UnsafePointer<UInt8>, _ stride: Int) -> Result) -> Result? {
        unsafe cairo_surface_flush(surface)
        guard let data = unsafe cairo_image_surface_get_data(surface) else { return nil }
        return unsafe body(data, Int(cairo_image_surface_get_stride(surface)))
    }

    // MARK: Transformation

    borrowing func save() { unsafe cairo_save(context) }
    borrowing func restore() { unsafe cairo_restore(context) }
    borrowing func translate(_ x: Double, _ y: Double) { unsafe cairo_translate(context, x, y) }
    borrowing func scale(_ x: Double, _ y: Double) { unsafe cairo_scale(context, x, y) }
    borrowing func rotate(_ radians: Double) { unsafe cairo_rotate(context, radians) }

    /// Turns everything drawn until `restore` about `pivot`.
    borrowing func rotate(_ radians: Double, about pivot: Point) {
        translate(pivot.x, pivot.y)
        rotate(radians)
        translate(-pivot.x, -pivot.y)
    }

    // MARK: Paths

    borrowing func move(_ x: Double, _ y: Double) { unsafe cairo_move_to(context, x, y) }
    borrowing func line(_ x: Double, _ y: Double) { unsafe cairo_line_to(context, x, y) }
    borrowing func curve(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ x: Double, _ y: Double) {
        unsafe cairo_curve_to(context, x1, y1, x2, y2, x, y)
    }
    borrowing func close() { unsafe cairo_close_path(context) }
    borrowing func clip() { unsafe cairo_clip(context) }

    /// A closed ellipse as a path of its own.
    borrowing func ellipse(_ x: Double, _ y: Double, _ radiusX: Double, _ radiusY: Double) {
        guard radiusX > 0, radiusY > 0 else { return }
        save()
        translate(x, y)
        scale(radiusX, radiusY)
        unsafe cairo_new_sub_path(context)
        unsafe cairo_arc(context, 0, 0, 1, 0, 2 * Double.pi)
        unsafe cairo_close_path(context)
        restore()
    }

    borrowing func rectangle(_ x: Double, _ y: Double, _ width: Double, _ height: Double) {
        unsafe cairo_rectangle(context, x, y, width, height)
    }

    // MARK: Painting

    borrowing func fill(_ paint: Paint, keepsPath: Bool = false) {
        apply(paint)
        if keepsPath { unsafe cairo_fill_preserve(context) } else { unsafe cairo_fill(context) }
    }

    borrowing func fill(_ color: Color, keepsPath: Bool = false) {
        fill(.solid(color), keepsPath: keepsPath)
    }

    /// Round caps and joins.
    borrowing func stroke(_ color: Color, width: Double, keepsPath: Bool = false) {
        apply(.solid(color))
        unsafe cairo_set_line_width(context, width)
        unsafe cairo_set_line_cap(context, CAIRO_LINE_CAP_ROUND)
        unsafe cairo_set_line_join(context, CAIRO_LINE_JOIN_ROUND)
        if keepsPath { unsafe cairo_stroke_preserve(context) } else { unsafe cairo_stroke(context) }
    }

    /// Copies another canvas of the same size over this one, pixel by pixel.
    borrowing func replace(with other: borrowing CairoCanvas) {
        unsafe cairo_save(context)
        unsafe cairo_identity_matrix(context)
        unsafe cairo_set_operator(context, CAIRO_OPERATOR_SOURCE)
        unsafe cairo_set_source_surface(context, other.surface, 0, 0)
        unsafe cairo_paint(context)
        unsafe cairo_restore(context)
    }

    private borrowing func apply(_ paint: Paint) {
        switch paint {
        case .solid(let color):
            unsafe cairo_set_source_rgba(context, color.red, color.green, color.blue, color.alpha)
        case .linear(let from, let to, let stops):
            guard let pattern = unsafe cairo_pattern_create_linear(from.x, from.y, to.x, to.y) else { return }
            unsafe use(pattern, stops)
        case .radial(let center, let inner, let outer, let stops):
            guard
                let pattern = unsafe cairo_pattern_create_radial(
                    center.x, center.y, inner, center.x, center.y, outer)
            else { return }
            unsafe use(pattern, stops)
        }
    }

    private borrowing func use(_ pattern: OpaquePointer, _ stops: [(Double, Color)]) {
        for (offset, color) in stops {
            unsafe cairo_pattern_add_color_stop_rgba(
                pattern, offset, color.red, color.green, color.blue, color.alpha)
        }
        unsafe cairo_set_source(context, pattern)
        unsafe cairo_pattern_destroy(pattern)
    }
}
