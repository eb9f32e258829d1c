package chart

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"io"
	"regexp"
	"strconv"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

const dotsPerInch = 144

// palette is Okabe and Ito's, which people with colour blindness tell apart; markers and dashes repeat the distinction.
var palette = [...]color.RGBA{
	{R: 0, G: 114, B: 178, A: 255}, {R: 213, G: 94, B: 0, A: 255}, {R: 0, G: 158, B: 115, A: 255},
	{R: 204, G: 121, B: 167, A: 255}, {R: 86, G: 180, B: 233, A: 255}, {R: 230, G: 159, B: 0, A: 255},
	{R: 60, G: 60, B: 60, A: 255},
}

// seriesColour is that of the i-th series of a picture.
func seriesColour(i int) color.RGBA { return palette[i%len(palette)] }

// Greys of what is not data.
var (
	ink      = color.Gray{Y: 30}  // titles
	soft     = color.Gray{Y: 100} // captions
	gridGrey = color.Gray{Y: 225}
)

var dashes = [][]vg.Length{nil, {vg.Points(5), vg.Points(2)}, {vg.Points(1.5), vg.Points(2)}}

// seriesDashes is the pattern of the i-th kind of line; the first is solid.
func seriesDashes(i int) []vg.Length { return dashes[i%len(dashes)] }

// typeface is the typeface of all pictures.
func typeface(points float64, bold bool) font.Font {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(points)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return f
}

// newPlot returns axes with a grid and no data.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font = typeface(11, false)
	p.Title.Padding = vg.Points(4)
	p.X.Label.TextStyle.Font, p.Y.Label.TextStyle.Font = typeface(10, false), typeface(10, false)
	p.X.Tick.Label.Font, p.Y.Tick.Label.Font = typeface(9, false), typeface(9, false)
	p.Legend.TextStyle.Font = typeface(9, false)
	p.Legend.Top = true
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = gridGrey, gridGrey
	p.Add(grid)
	return p
}

// readable makes a colour as dark as letters on white must be.
func readable(c color.RGBA) color.RGBA {
	for contrast(c, color.RGBA{R: 255, G: 255, B: 255, A: 255}) < 4.5 {
		c.R, c.G, c.B = c.R-c.R/16, c.G-c.G/16, c.B-c.B/16
	}
	return c
}

// textOnGround writes where other things may be drawn already.
func textOnGround(c draw.Canvas, style draw.TextStyle, at vg.Point, text string) {
	ground := style.Rectangle(text).Add(at)
	corners := []vg.Point{ground.Min, {X: ground.Max.X, Y: ground.Min.Y}, ground.Max, {X: ground.Min.X, Y: ground.Max.Y}}
	c.FillPolygon(color.NRGBA{R: 255, G: 255, B: 255, A: 190}, corners)
	c.FillText(style, at, text)
}

// writePicture makes a picture of a size in a format, svg or png, on a white ground.
func writePicture(w io.Writer, format string, width, height vg.Length, paint func(draw.Canvas)) error {
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case "svg":
		canvas = vgsvg.New(width, height)
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerInch))}
	default:
		return fmt.Errorf("picture format %q: want svg or png", format)
	}
	c := draw.New(canvas)
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	paint(c)
	if format == "png" {
		_, err := canvas.WriteTo(w)
		return err
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(fitted(svg.Bytes()), []byte("font-family:Liberation Sans;"), []byte(families)))
	return err
}

// inSVG is a text as the library writes it: element, style, weight, size in points, and words.
var inSVG = regexp.MustCompile(`(<text [^>]*?)(\s+style="[^"]*font-weight:(\w+);[^"]*font-size:([\d.]+)px[^"]*">)([^<]+)</text>`)

// fitted gives every text of an SVG the width that it has in our typeface: in a viewer's own it would run into the next
// one.
func fitted(svg []byte) []byte {
	return inSVG.ReplaceAllFunc(svg, func(element []byte) []byte {
		part := inSVG.FindSubmatch(element)
		size, err := strconv.ParseFloat(string(part[4]), 64)
		if err != nil {
			panic("BUG: a size of letters that is no number: " + string(part[4]))
		}
		style := draw.TextStyle{Font: typeface(size, string(part[3]) == "bold"), Handler: plot.DefaultTextHandler}
		width := style.Width(html.UnescapeString(string(part[5])))
		return fmt.Appendf(nil, `%s textLength="%.5g" lengthAdjust="spacingAndGlyphs"%s%s</text>`, part[1], width.Points(), part[2], part[5])
	})
}

// families names typefaces of equal widths for viewers that lack ours.
const families = "font-family:'Liberation Sans',Arimo,Arial,Helvetica,sans-serif;"
